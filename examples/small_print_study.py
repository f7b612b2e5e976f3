"""Does it help to redraw small print before it is read? A study of `small_print.py` on made lines of print.

python examples/small_print_study.py --lines 160  # writes runs/small-print and prints a table
"""

import argparse
import json
import os
import random
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
HEIGHTS = (8, 10, 12, 16)
"""Of the pictures, in pixels; capitals are 3/8 of that."""
SEEDS = 1_000_000
"""Lines that are measured begin here; below it one may look and choose."""
ARMS = [
    {"name": "direct", "policy": "none"},
    {"name": "enlarged", "policy": "fixed:enlarge", "about": "plain resizing, bicubic"},
    {"name": "redrawn", "policy": "fixed:redraw", "about": "Real-ESRGAN, always kept"},
    {"name": "redrawn-judged", "policy": "fixed:redraw", "about": "kept where it is read as surely", "reflect": True},
]


def line(seed, height):
    """A line of small print and what it says: a font of the world, an ink and a paper by the seed."""
    from g2u.world.materials.atlas import FONTS, GLYPH_SIZE, GLYPHS, glyphs

    dice, (tiles, widths) = random.Random(seed), glyphs("cpu")
    font, code = dice.randrange(len(FONTS)), "".join(dice.choice(GLYPHS) for _ in range(6))
    text = f"{dice.choice(['LOT', 'REF', 'SER', 'ART'])} {code} {dice.choice(['EXP', 'USE', 'MFG'])}"
    text += f" {dice.randrange(1, 13):02}{dice.randrange(27, 40)}"
    ink, paper = ([dice.randrange(least, most) for _ in "RGB"] for least, most in ((0, 90), (215, 256)))
    marks = [GLYPHS.find(letter) for letter in text]
    spans = [12 if mark < 0 else int(widths[font, mark]) + 2 for mark in marks]
    covered, x = np.zeros((64, sum(spans) + 40)), 20
    for mark, span in zip(marks, spans, strict=True):
        if mark >= 0:
            left = (GLYPH_SIZE[1] - (span - 2)) // 2
            covered[16:48, x : x + span - 2] = tiles[font, mark, :, left : left + span - 2] / 255
        x += span
    picture = Image.fromarray((np.array(paper) + np.subtract(ink, paper) * covered[..., None]).round().astype(np.uint8))
    return picture.resize((round(picture.width * height / 64), height), Image.Resampling.BICUBIC), text


def write_items(folder, lines, first=SEEDS):
    """So many lines, in all heights alike, as a file of questions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(lines):
        height = HEIGHTS[number % len(HEIGHTS)]
        picture, text = line(first + number, height)
        picture.save(folder / f"{number}.png")
        row = {"picture": f"{number}.png", "question": "What is printed?", "answer": text, "scorer": "anls"}
        rows.append(row | {"id": str(number), "groups": {"height": f"{height} pixels"}})
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "items.jsonl"


def table(arms, groups):
    """Letters that are right in percent, in all and by the height of the picture, with 95 % intervals; as Markdown."""
    from g2u.study.tables.table import show_cell

    def cell(found, row, key):
        return show_cell(row, next(column for column in found.columns if column.key == key)) if row else "-"

    heights = [f"{height} pixels" for height in HEIGHTS]
    rows = [["arm", "all", *heights, "gain", "kept"], ["---", *["--:"] * (len(heights) + 3)]]
    for row in arms.rows:
        of = {one["value"]: one for one in groups.rows if one["arm"] == row["arm"] and one["group"] == "height"}
        parts = [cell(groups, of.get(height), "accuracy") for height in heights]
        rows.append([row["arm"], cell(arms, row, "accuracy"), *parts, cell(arms, row, "gain"), cell(arms, row, "kept")])
    return "\n".join(f"| {' | '.join(one)} |" for one in rows)


def main():
    """Make the lines, run the study, print a table."""
    from g2u.study.grid.presets import make_study
    from g2u.study.running.runner import run
    from g2u.study.tables import TABLES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=160, help="pictures, shared by the heights")
    parser.add_argument("--network", default="realesr-animevideov3-x4", help="or realesrgan-x4plus, large and slow")
    parser.add_argument("--out", type=Path, default=Path("runs/small-print"), help="folder of the study")
    given = parser.parse_args()
    os.environ.setdefault("G2U_EDITS", str(HERE / "small_print.yaml"))
    arms = [{"reflect": False, "rounds": 1, **arm} for arm in ARMS]
    for arm in arms[2:]:
        arm["values"] = {"network": given.network}
    source = write_items(given.out / "items", given.lines)
    study = {"name": "small-print", "model": f"{HERE / 'small_print.py'}:load", "arms": arms}
    results = run(make_study(study | {"items": {"source": str(source)}}), given.out / "study")
    print(table(TABLES["arms"](results), TABLES["groups"](results)))


if __name__ == "__main__":
    main()
