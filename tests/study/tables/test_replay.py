"""The table of replays: which answers are compared, and what the difference is."""

from pathlib import Path

from g2u.pictures.store import ImageStore
from g2u.study.grid.arms import Arm
from g2u.study.grid.presets import arms_of
from g2u.study.grid.records import ItemRecord, Line
from g2u.study.tables.replay import replay
from tests.study.made_up import make_item, make_line, make_results, make_round, picture
from tests.study.tables.test_tables import by

ARMS = arms_of(["replay"])


def test_only_answers_after_the_very_same_drawing_are_compared(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    items = {name: make_item(store, name) for name in "abcdef"}

    def line(arm: str, item: ItemRecord, right: bool, drawing: str = "", seed: int = 0) -> Line:
        thought = picture(store, drawing) if drawing else None
        turn = make_round(item, 1, "deblur" if drawing else "none", thought=thought)
        return make_line(item, f"replay-{arm}", right, rounds=[turn], seed=seed)

    lines = [
        *(line("concat", items[name], right, name) for name, right in zip("abc", (True, False, False), strict=True)),
        *(line("continued", items[name], True, name) for name in "abc"),
        # of another seed: half as much for the mean of its item
        line("concat", items["c"], True, "c", seed=1),
        line("continued", items["c"], True, "c", seed=1),
        # another drawing, none at all, and a failure: in no difference
        line("concat", items["d"], True, "d"),
        line("continued", items["d"], False, "other"),
        line("concat", items["e"], True),
        line("continued", items["e"], False),
        line("concat", items["f"], True, "f"),
        Line(arm="replay-continued", item="f", seed=0, error="Out of memory."),
    ]
    arms = [arm for arm in ARMS if arm.name != "replay-latent"]
    found = replay(make_results(tmp_path, arms, [*items.values()], lines, seeds=2))
    [row] = by(found, "arm", "other").values()
    assert (row["arm"], row["other"]) == ("replay-continued", "replay-concat")
    assert (row["n"], row["undrawn"], row["unlike"]) == (3, 1, 2)
    assert (row["accuracy"], row["other_accuracy"], row["difference"]) == (1.0, 0.5, 0.5)
    assert (row["fixed"], row["broken"], row["p"]) == (2, 0, 0.5)
    assert found and "2 pairs with other drawings" in found.about


def test_what_goes_on_is_held_against_both_fresh_ways(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    item = make_item(store, "a")
    lines = [
        make_line(item, arm.name, True, rounds=[make_round(item, 1, "deblur", thought=picture(store, "a"))])
        for arm in ARMS[1:]
    ]
    rows = by(replay(make_results(tmp_path, ARMS, [item], lines)), "arm", "other")
    assert list(rows) == [
        ("replay-latent", "replay-concat"),
        ("replay-continued", "replay-concat"),
        ("replay-continued", "replay-latent"),
    ]
    assert replay(make_results(tmp_path, [Arm(name="self")], [item], [])) is None
