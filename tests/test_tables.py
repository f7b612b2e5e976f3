"""Tables of the documentation against what they are tables of."""

import re
from pathlib import Path

from g2u.conformance.rules import RULES
from g2u.models.bagel.inference.sampler import PRESETS, computed_steps
from g2u.models.registry import MODELS
from tests.agent.models.tables import tables
from tests.test_imports import FLOORS

ROOT = Path(__file__).parents[1]


def rows(file: str, head: str) -> dict[str, list[str]]:
    """Rows of the table with that head, by the name in backquotes in their first cell."""
    table = (ROOT / file).read_text("utf-8").split(head, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return {row[0].split("`")[1]: row[1:] for row in cells}


def test_the_readme_lists_every_model() -> None:
    assert list(rows("README.md", "| key | what it is | weights |")) == list(MODELS)


def test_the_architecture_shows_every_room_in_its_order() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = page.split("| rooms, from the ground up |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert [set(re.findall(r"`([\w.]+)`", line.split("|")[1])) for line in table] == FLOORS
    drawn = re.findall(r'class="name"[^>]*>([^<]+)<', (ROOT / "docs/assets/house.svg").read_text("utf-8"))
    parts = ("agent.models.bagel.", "agent.models.blip3o.", "study.benchmarks.")
    names = {room.removeprefix("agent.") for row in FLOORS for room in row if not room.startswith(parts)}
    assert {name for text in drawn for name in text.split(", ")} == names - {"agent"} | {"g2u"}


def test_the_page_of_own_models_shows_the_examples_and_every_rule() -> None:
    page = (ROOT / "docs/own-model.md").read_text("utf-8")
    for example in ("own_model.py", "old_model.py", "worker_model.py", "own_policy.py"):
        code = (ROOT / "examples" / example).read_text("utf-8")
        assert f"```py\n{code}```" in page
        assert len(code.splitlines()) <= 60
    table = page.split("| rule | what it demands |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert table == [f"| {name} | {rule.about} |" for name, rule in RULES.items()]


def test_the_page_of_bagel_lists_every_preset() -> None:
    found = rows("docs/bagel.md", "| preset | steps |")
    assert list(found) == list(PRESETS)
    for name, settings in PRESETS.items():
        steps, computed, text, picture, times, _ = found[name]
        done = computed_steps(settings)
        assert (int(steps), computed) == (len(done), "all" if all(done) else str(sum(done)))
        assert float(text) == settings.text_scale
        assert picture == ("none" if settings.picture_scale <= 1 else str(settings.picture_scale))
        assert times == ("all" if settings.interval[0] == 0 else f"above {settings.interval[0]}")


def test_the_page_of_other_models_has_every_table_as_the_code_has_it() -> None:
    page = (ROOT / "docs/other-models.md").read_text("utf-8")
    assert [name for name, table in tables().items() if f"\n{table}\n" not in page] == []
