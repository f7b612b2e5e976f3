"""Small studies by hand, whose answers are known one by one."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from g2u.models.protocol import Identity
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Action, Answer, Decision, Round, Verdict
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Header, ItemRecord, Line, Mark
from g2u.study.running.results import Results
from g2u.study.tables.table import Column, Table

ARMS = [
    Arm(name="direct", policy="none", seeds="first", about="No imagining"),
    Arm(name="self", about="The model picks"),
    Arm(name="random", policy="random", about="Chance picks"),
]
HOSTILE = (
    "</script><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\"> {{ 7 * 7 }} & '"
)
_ACTIONS: tuple[Action, ...] = ("keep", "retry", "discard")


def drawing(number: int, size: int = 48) -> Image.Image:
    """A disc whose place and colour tell its number."""
    image = Image.new("RGB", (size, size), (240, 240, 230))
    left = number % 7 * size // 12
    colour = (37 * number % 256, 91 * number % 256, 150)
    ImageDraw.Draw(image).ellipse((left, left, left + size // 3, left + size // 3), fill=colour)
    return image


def answer(text: str, sure: float = 0.8) -> Answer:
    """An answer among two options."""
    other = "red" if text == "blue" else "blue"
    shares = {text: sure, other: 1 - sure}
    return Answer(text=text, probabilities=shares, log_probability=-0.2, pictures=[], seconds=0.1)


def turn(source: ImageRef, thought: ImageRef, number: int = 1, edit: str = "deblur", action: Action = "keep") -> Round:
    """A judged round of the loop."""
    rest = {name: 0.9 if name == action else 0.05 for name in _ACTIONS}
    return Round(
        number=number,
        source=source,
        decision=Decision(
            edit=edit, family="enhancement", instruction=f"Please {edit} it.", policy="self", reason="It may help."
        ),
        thought=thought,
        verdict=Verdict(action=action, reason="It fits.", probabilities=rest, change=0.125),
    )


def make_study(folder: Path, items: int = 8, *, pictures: int = 8, seeds: int = 1, name: str = "small") -> Results:
    """Item 0, 4, ... is fixed by `self`, 1, 5, ... broken, 2, 6, ... stays right, 3, 7, ... stays wrong.

    `random` changes no answer. Of item 2 `self` failed to answer where there are more than four items.
    """
    store = ImageStore(folder / "pictures")
    originals = [store.add_image(drawing(number)) for number in range(pictures)]
    thoughts = [store.add_image(drawing(number + 100)) for number in range(pictures)]
    records = {}
    lines: list[Line] = []
    for number in range(items):
        item = ItemRecord(
            id=f"held-out/{number}",
            pictures=[originals[number % pictures]],
            question=f"What colour is disc {number}?",
            options=["red", "blue"],
            answers=["red"],
            gold_edits=["deblur"],
            groups={"task": ("maze", "shapes")[number // 4 % 2], "edit": "own group"},
        )
        records[item.id] = item
        before = number % 4 in (1, 2)
        for arm in ARMS:
            for seed in range(seeds if arm.seeds == "all" else 1):
                right = number % 4 in (0, 2) if arm.name == "self" else before
                said = answer("red" if right else "blue")
                edit = "deblur" if arm.name == "self" else "expose"
                action: Action = "keep" if arm.name == "self" else "discard"
                drawn = [turn(item.pictures[0], thoughts[number % pictures], 1, edit, action)]
                line = Line(
                    arm=arm.name,
                    item=item.id,
                    seed=seed,
                    marks={"scored": Mark(value=right)},
                    direct_marks={"scored": Mark(value=before)},
                    answer=said,
                    direct=answer("red" if before else "blue", 0.6),
                    rounds=[] if arm.name == "direct" else drawn,
                    fidelity={} if arm.name == "direct" else {1: {"psnr": 24.5}},
                )
                if arm.name == "self" and number == 2 and items > 4:
                    line = Line(arm=arm.name, item=item.id, seed=seed, error="Out of memory.")
                lines.append(line)
    order = [arm.name for arm in ARMS]
    lines.sort(key=lambda line: order.index(line.arm))
    study = Study(name=name, about="Does it help?", arms=ARMS, items=Items(count=items), seeds=seeds, tried=3)
    header = Header(
        g2u="0.1.0",
        study=study,
        model=Identity(model="mini", weights="a" * 64, code="0.1.0"),
        prompts={"edits.yaml": "b" * 64},
        items="c" * 64,
        skipped={},
    )
    return Results(folder=folder, header=header, items=records, lines=lines)


def make_tables() -> dict[str, Table]:
    """One small table of each kind that has a chart, and one that has none."""
    gain = Column("gain", "gain", "points", "gain_low", "gain_high", "Points over direct.")
    count = Column("n", "items", "count")
    arm = Column("arm", "arm")

    def gained(value: float) -> dict[str, float]:
        return {"gain": value, "gain_low": value - 0.03, "gain_high": value + 0.03}

    arms = [
        {"arm": "direct", "n": 8, "gain": None, "fixed": None, "broken": None},
        {"arm": "self", "n": 8, "fixed": 4, "broken": 1, **gained(0.125)},
        {"arm": "random", "n": 8, "fixed": 1, "broken": 3, **gained(-0.05)},
        {"arm": "oracle", "n": 7, "fixed": 5, "broken": 0, **gained(0.01)},
    ]
    transfer = [
        {"family": family, "task": task, "n": 4, **gained(value)}
        for family, task, value in [("enhancement", "maze", 0.2), ("enhancement", "shapes", -0.1),
                                    ("structure", "maze", 0.01)]
    ]  # fmt: skip
    levels = [
        {"arm": f"ladder:{level}", "psnr": level, "psnr_low": level - 1, "psnr_high": level + 1,
         **gained((level - 12) / 100)}
        for level in (12, 18, 24)
    ]  # fmt: skip
    regrets = [{"arm": "self", "item": f"held-out/{number}", "regret": 0.1 * (number % 4)} for number in range(8)]
    bins = [{"arm": "self", "n": 20, "confidence": mean / 10, "good": mean / 12} for mean in (2, 5, 9)]
    psnr = Column("psnr", "PSNR, dB", "number", "psnr_low", "psnr_high")
    made = [
        Table("arms", "Arms", "What each arm gains.", [arm, count, gain, Column("fixed", "fixed", "count"),
              Column("broken", "broken", "count")], arms),
        Table("transfer", "Transfer", "By family.", [Column("family", "family"), Column("task", "task"), count, gain],
              transfer),
        Table("ladder", "Ladder", "By level.", [arm, psnr, gain], levels),
        Table("ladder_fit", "Fit", "Lines.", [Column("measure", "measure"), Column("slope", "slope", "number")],
              [{"measure": "psnr", "slope": 0.01}]),
        Table("regret_items", "Regret by item", "Each choice.", [arm, Column("item", "item"),
              Column("regret", "regret", "number")], regrets),
        Table("reliability", "Reliability", "By bin.", [arm, count, Column("confidence", "mean, %", "percent"),
              Column("good", "good, %", "percent")], bins),
        Table("selection", "Selection", "Luck of the best.", [arm, Column("tried", "tried", "count")],
              [{"arm": "self", "tried": 3}]),
    ]  # fmt: skip
    return {table.name: table for table in made}
