"""A study that grows: the folder holds the union, nothing is asked twice, and what cannot be is refused by name."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import G2UError, MissingExtraError, StudyError, UnknownNameError
from g2u.models.protocol import Identity
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Line
from g2u.study.running.folder import HEADER, ITEMS, LINES, header_in, read_study
from g2u.study.running.forecast import forecast
from g2u.study.running.growth import requested
from g2u.study.running.runner import run
from g2u.study.tables import TABLES
from g2u.study.tables.pairing import Pairing
from tests.scripted import ScriptedModel
from tests.study.grids import lines_in, scripted, study
from tests.study.running.test_folder import contents, started
from tests.waiting import wait_until

GOLD = Arm(name="gold", policy="oracle", reflect=False)
FIXED = Arm(name="fixed", policy="fixed:deblur", reflect=False, rounds=1)
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "brown", "pink")


@pytest.fixture
def model() -> ScriptedModel:
    own = scripted()
    register_engine("scripted", Engine(lambda: own))
    return own


def plain(line: Line) -> dict[str, object]:
    """A line without the times it took and what it cost, which depend on batches."""
    known = line.model_dump(mode="json", exclude={"seconds": True, "cost": True, "answer": {"seconds"}})
    for answer in (known["direct"], *known["rounds"]):
        if answer:
            answer.pop("seconds", None)
    return known


def file_keys(folder: Path) -> Counter[tuple[str, str, int]]:
    """How often each answer stands in the file itself."""
    rows = [json.loads(line) for line in (folder / LINES).read_bytes().splitlines()]
    return Counter((row["arm"], row["item"], row["seed"]) for row in rows)


def own_file(folder: Path, count: int, **first: object) -> Path:
    """Questions about the colour of plain pictures."""
    folder.mkdir(exist_ok=True)
    rows: list[dict[str, object]] = []
    for colour in COLOURS[:count]:
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
        rows.append({"picture": f"{colour}.png", "question": "Which colour?", "options": [colour, "black"]})
        rows[-1]["answer"] = colour
    rows[0] |= first
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "own.jsonl"


def test_a_study_grows_by_seeds_items_and_arms_and_asks_nothing_twice(tmp_path: Path, model: ScriptedModel) -> None:
    folder = tmp_path / "a"
    assert len(run(study(items=Items(count=3), seeds=1), folder).lines) == 9
    asked = len(model.calls)
    assert len(run(None, folder).lines) == 9 and len(model.calls) == asked
    run(study(items=Items(count=3)), folder)
    run(study(items=Items(count=5)), folder)
    grown = run(study(arms=[FIXED], items=Items(count=5)), folder)
    assert set(file_keys(folder).values()) == {1}
    fresh = run(study(arms=[*study().arms, FIXED], items=Items(count=5)), tmp_path / "b")
    assert [plain(line) for line in grown.lines] == [plain(line) for line in fresh.lines]
    assert (grown.missing, grown.header.study.seeds, len(grown.items)) == (0, 2, 5)
    drawn = [key for call in model.of("draw") for key in zip(call.texts, call.pictures, strict=True)]
    own = len(list((folder / "pictures" / "drawings").rglob("*.json")))
    assert len(drawn) == own + len(list((tmp_path / "b" / "pictures" / "drawings").rglob("*.json")))


def test_a_ragged_study_pairs_what_both_have_and_says_of_how_many(tmp_path: Path, model: ScriptedModel) -> None:
    arms = [Arm(name="direct", policy="none"), GOLD]
    run(study(arms=arms, items=Items(count=4), seeds=1), tmp_path / "a")
    found = run(study(arms=[GOLD], items=Items(count=6), seeds=2), tmp_path / "a")
    assert {arm: len(lines) for arm, lines in found.by_arm.items()} == {"direct": 4, "gold": 12}
    assert found.missing == 0
    pairing = Pairing.of(found)
    by_seed = {(line.item, line.seed): line.score for line in found.by_arm["gold"]}
    direct = {line.item: line.score for line in found.by_arm["direct"]}
    assert pairing.pairs("gold") == {item: (by_seed[item, 0], score) for item, score in direct.items()}
    assert "4 of 8 of 'gold'" in pairing.about
    used = TABLES["used"](found)
    assert used and "two are compared on the items and seeds that both have" in used.about
    rows = {row["arm"]: (row["items"], row["seeds"], row["asked"], row["used"]) for row in used.rows}
    assert rows == {"direct": (4, 1, 4, 4), "gold": (6, 2, 12, 12)}
    filled = run(study(arms=arms, items=Items(count=6)), tmp_path / "a")
    assert len(filled.lines) == 24 and len(filled.header.asked) == 1


def test_an_arm_that_the_model_cannot_be_asked_says_of_how_many_answers(tmp_path: Path, model: ScriptedModel) -> None:
    thinks = Arm(name="thinks", policy="none", think=True, set="paper")
    found = run(study(arms=[Arm(name="direct", policy="none"), thinks]), tmp_path / "a")
    reason, count = found.unasked["thinks"]
    assert "cannot think" in reason and count == 12
    used = TABLES["used"](found)
    assert used and [(row["asked"], row["used"], row["why"]) for row in used.rows][1] == (12, 0, reason)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reading": "written"}, "reading was 'scored' there and is 'written' now"),
        ({"items": Items(count=3, split="development")}, "items.split was 'held-out' there and is 'development'"),
        ({"steps": 3, "seconds": 5.0}, "steps was nothing there and is 3 now .seconds differ as well"),
        ({"arms": [GOLD.model_copy(update={"rounds": 1})]}, "rounds of the arm 'gold' was 2 there and is 1 now"),
        ({"arms": [FIXED.model_copy(update={"max_tokens": 9})]}, "same max_tokens, and there are 32 in 'direct', 9 in"),
        ({"items": Items(source="own.jsonl")}, "items from was 'world' there and is 'a file' now"),
    ],
)
def test_what_has_to_stay_is_named_with_both_values(
    tmp_path: Path, model: ScriptedModel, changes: dict[str, object], says: str
) -> None:
    run(study(items=Items(count=3), seeds=1), tmp_path / "a")
    before = contents(tmp_path / "a")
    with pytest.raises(StudyError, match=says):
        run(study(**{"items": Items(count=3), **changes}), tmp_path / "a")
    assert contents(tmp_path / "a") == before


def test_other_weights_and_another_format_are_named(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(items=Items(count=2), seeds=1), tmp_path / "a")
    other = Identity(model="scripted", weights="f" * 64, code="test")
    register_engine("scripted", Engine(lambda: scripted(identity=other)))
    with pytest.raises(StudyError, match=r"the weights of the model was .* there and is ffffffffffff now"):
        run(None, tmp_path / "a")
    header = json.loads((tmp_path / "a" / HEADER).read_text())
    (tmp_path / "a" / HEADER).write_text(json.dumps(header | {"format": 2}))
    with pytest.raises(StudyError, match=r"has the format 2 of another version of G2U; this one has 3\. .*--out NEW"):
        run(None, tmp_path / "a")


def test_a_file_grows_at_its_end_alone(tmp_path: Path, model: ScriptedModel) -> None:
    file, folder = own_file(tmp_path / "own", 2), tmp_path / "a"
    arms = [Arm(name="direct", policy="none"), Arm(name="self")]
    asks = study(arms=arms, items=Items(source=str(file)), seeds=1)
    assert len(run(asks, folder).lines) == 4
    own_file(tmp_path / "own", 3)
    assert [line.item for line in run(None, folder).by_arm["self"]] == ["1", "2", "3"]
    before = contents(folder)
    own_file(tmp_path / "own", 4, question="What colour?")
    with pytest.raises(StudyError, match=r"item '1' has another question in .*: 'What colour.' was 'Which colour.'"):
        run(None, folder)
    own_file(tmp_path / "own", 2)
    with pytest.raises(StudyError, match="The item '3' of this study is no longer in"):
        run(None, folder)
    assert contents(folder) == before
    file.unlink()
    assert len(run(study(arms=arms, items=Items(source=str(file))), folder).lines) == 12  # the folder has it all
    with pytest.raises(StudyError, match="cannot be read"):
        run(study(arms=arms, items=Items(source=str(file), count=4)), folder)


def test_what_a_kill_left_of_a_growth_is_no_part_of_the_study(tmp_path: Path, model: ScriptedModel) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    run(study(items=Items(count=2)), small)
    run(study(items=Items(count=4)), large)
    (small / ITEMS).write_bytes((large / ITEMS).read_bytes())  # the questions were there, the header was not yet
    assert len(read_study(small).items) == 2
    assert len(run(None, small).lines) == 10
    assert [plain(line) for line in run(study(items=Items(count=4)), small).lines] == [
        plain(line) for line in read_study(large).lines
    ]


def test_a_foreign_thought_stays_that_of_the_same_picture(tmp_path: Path, model: ScriptedModel) -> None:
    arms = [Arm(name="foreign", policy="fixed:deblur", drawer="foreign", reflect=False, rounds=1)]
    before = run(study(arms=arms, items=Items(count=3), seeds=1), tmp_path / "a")
    grown = run(study(arms=arms, items=Items(count=20), seeds=1), tmp_path / "a")
    fresh = run(study(arms=arms, items=Items(count=20), seeds=1), tmp_path / "b")
    assert [plain(line) for line in grown.lines] == [plain(line) for line in fresh.lines]
    assert [plain(line) for line in grown.lines[:3]] == [plain(line) for line in before.lines]


def test_what_is_asked_of_a_folder(tmp_path: Path, model: ScriptedModel) -> None:
    run(study(items=Items(count=3)), tmp_path / "a")
    found = header_in(tmp_path / "a")
    assert found and requested(found, "") is None
    more = requested(found, "", count=9)
    assert more and (more.items.count, more.seeds, len(more.arms), more.model) == (9, 2, 3, "scripted")
    arms = requested(found, "", ["self", "twice"])
    assert arms and [(arm.name, arm.set) for arm in arms.arms] == [("self", ""), ("twice", "controls")]
    quick = requested(found, "quick", ["gold", "direct"], seeds=3)
    assert quick and (quick.model, quick.items.count, quick.seeds) == ("scripted", 52, 3)
    assert [arm.name for arm in quick.arms] == ["gold", "direct"]
    with pytest.raises(UnknownNameError, match="Did you mean twice"):
        requested(found, "", ["twise"])
    with pytest.raises(StudyError, match="Name either a preset or a file"):
        requested(None, "")
    with pytest.raises(StudyError, match=r"'items\.count' stands: Input should be greater"):
        requested(found, "", count=0)


def test_a_refused_study_leaves_nothing_behind(tmp_path: Path, model: ScriptedModel) -> None:
    thinks = Arm(name="thinks", policy="none", think=True, set="paper")
    refused: list[tuple[Callable[[], Study], str]] = [
        (lambda: study(arms=[thinks]), "can be asked none of the 1 arms; thinks: .*cannot think"),
        (lambda: study(arms=[thinks.model_copy(update={"set": ""})]), "cannot think"),
        (lambda: study(items=Items(source=str(tmp_path / "none.jsonl"))), "cannot be read"),
        (lambda: study(items=Items(source="")), "names no file. Add `--source FILE.jsonl`"),
        (lambda: study(arms=[Arm(name="x", drawer="blurr:2")]), "Did you mean"),
        (lambda: study(model="nobody"), "nobody"),
    ]
    for make, says in refused:
        with pytest.raises(G2UError, match=says):
            run(make(), tmp_path / "deep" / "folder")
    with pytest.raises(StudyError, match="There is no study"):
        run(None, tmp_path / "deep" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_ray_that_is_not_installed_leaves_nothing_behind(
    tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(MissingExtraError, match="Install the extra `ray`"):
        run(study(), tmp_path / "a", engine="ray")
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_is_of_what_is_left_and_writes_nothing(tmp_path: Path, model: ScriptedModel) -> None:
    told: list[tuple[int, int]] = []
    asked = study(items=Items(count=8))
    expected = forecast(asked, tmp_path / "a", on_progress=lambda *step: told.append(step))
    assert not (tmp_path / "a").exists()
    assert (expected.answers, expected.left, expected.measured.answers) == (40, 40, 10)
    assert told[-1] == (15, 15) and len(expected.measured.items) == 2 and expected.memory > 1e7
    drawings = len(model.of("draw"))
    found = run(asked, tmp_path / "a")
    assert drawings and expected.hours > 0 and expected.tokens > 0
    assert expected.drawings == 4 * expected.measured.drawings
    again = forecast(None, tmp_path / "a")
    assert (again.left, again.drawings, again.measured.answers) == (0, 0, 0)
    before = contents(tmp_path / "a")
    grown = forecast(study(items=Items(count=8), seeds=3), tmp_path / "a")
    assert (grown.answers, grown.there, grown.left) == (56, len(found.lines), 16)
    assert contents(tmp_path / "a") == before


KILLED = """
import sys
from pathlib import Path
from g2u.cli import main
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from tests.study.grids import scripted

register_engine("scripted", Engine(lambda: scripted(step_seconds=0.002)))
sys.argv = ["g2u", "study", *sys.argv[1:]]
main()
"""


def test_killed_resumed_and_grown_by_a_seed_and_an_arm(
    tmp_path: Path, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JSON Lines study of the real command: no line twice, and its tables are those that pandas makes of the file."""
    own_file(tmp_path, 8)
    arms = "[{name: direct, policy: none, seeds: first}, {name: self, reflect: false}]"
    (tmp_path / "own.yaml").write_text(f"model: scripted\narms: {arms}\nitems: {{source: own.jsonl}}\n")
    out = tmp_path / "out"
    with started(tmp_path, KILLED, "run", "--config", "own.yaml", "--out", "out") as running:
        wait_until(lambda: lines_in(out) or running.poll() is not None)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL and 0 < lines_in(out) <= 16

    monkeypatch.chdir(tmp_path)

    def go_on(*arguments: str) -> None:
        done = CliRunner().invoke(app, ["study", "run", "--out", "out", *arguments])
        assert done.exit_code == 0, done.output

    go_on()
    assert len(read_study(out).lines) == 16
    go_on("--seeds", "2", "--arms", "self,random")
    counted = file_keys(out)
    assert set(counted.values()) == {1}
    assert Counter((arm, seed) for arm, _, seed in counted) == {
        (arm, seed): 8 for arm, seed in [("direct", 0), ("self", 0), ("self", 1), ("random", 0), ("random", 1)]
    }
    table = TABLES["arms"](read_study(out))
    assert table
    shown = {row["arm"]: row for row in table.rows}
    frame = pd.read_json(out / LINES, lines=True)
    frame["score"] = [marks["scored"]["value"] for marks in frame["marks"]]
    frame["drawn"] = [sum(turn["thought"] is not None for turn in rounds) for rounds in frame["rounds"]]
    by_item = frame.groupby(["arm", "item"])["score"].mean().unstack("arm")
    for arm in by_item:
        assert shown[arm]["accuracy"] == pytest.approx(by_item[arm].mean())
        assert shown[arm]["n"] == by_item[arm].count()
        assert shown[arm]["drawn"] == pytest.approx(frame[frame["arm"] == arm]["drawn"].mean())
        if arm != "direct":
            gain = by_item[arm] - by_item["direct"]
            assert shown[arm]["gain"] == pytest.approx(gain.mean())
            assert (shown[arm]["fixed"], shown[arm]["broken"]) == ((gain > 0).sum(), (gain < 0).sum())
