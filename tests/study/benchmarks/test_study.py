"""Benchmarks as sources of a study: items, copies that share a drawing, several sources, the world as one."""

import json
from pathlib import Path
from typing import Any

import pytest

from g2u.errors import BenchmarkError, StudyError, UnknownNameError
from g2u.loop.deciding.policies import Situation, register_policy
from g2u.pictures.store import ImageStore
from g2u.state import Decision
from g2u.study.benchmarks.of_world import write_world
from g2u.study.benchmarks.tsv import TsvFile, md5_of
from g2u.study.evaluate import evaluate
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.items import make_items
from g2u.study.grid.presets import arms_of
from g2u.study.grid.records import ItemRecord
from g2u.study.report.summary import notes
from g2u.study.running.folder import read_header
from g2u.study.running.growth import requested
from g2u.study.running.runner import run
from g2u.study.tables import TABLES
from tests.study.benchmarks.made import encoded, png, row, write


def items(tmp_path: Path, *sources: Path | str, **wanted: Any) -> list[ItemRecord]:
    return make_items(Items(source=[str(one) for one in sources], **wanted), ImageStore(tmp_path / "store"))


def test_the_world_as_two_benchmarks_gives_its_own_answers(tmp_path: Path) -> None:
    arms = [arm for arm in arms_of(["world"]) if arm.name in ("direct", "gold", "self", "random")]
    for task in ("shapes", "maze"):
        write_world(tmp_path / f"{task}.tsv", 2, tasks=[task])
    sources = [str(tmp_path / f"{task}.tsv") for task in ("shapes", "maze")]
    found = run(Study(arms=arms, items=Items(source=sources)), tmp_path / "study")
    assert list(found.items) == ["shapes/0", "maze/0", "shapes/1", "maze/1"]
    for task in ("shapes", "maze"):
        own = run(Study(arms=arms, items=Items(count=2, tasks=[task])), tmp_path / task)
        for place, item in enumerate(own.items.values()):
            copy = found.items[f"{task}/{place}"]
            assert copy.asks_the_same(item.model_copy(update={"scorer": copy.scorer}))
            assert copy.gold_edits == item.gold_edits and copy.groups["l2-category"] == item.groups["fault"]
            for arm in arms:
                ours = next(line for line in found.by_arm[arm.name] if line.item == copy.id)
                theirs = next(line for line in own.by_arm[arm.name] if line.item == item.id)
                assert ours.answer and theirs.answer and not ours.error
                assert (ours.answer.text, ours.score) == (theirs.answer.text, theirs.score)
                assert ours.answer.probabilities == pytest.approx(theirs.answer.probabilities, abs=1e-4)
                assert [turn.decision.call for turn in ours.rounds] == [turn.decision.call for turn in theirs.rounds]
    summed = evaluate(tasks=["maze"], items=2, arms=["direct", "self"])["summary"]
    for arm in ("direct", "self"):
        scores = [line.score for line in found.by_arm[arm] if line.item.startswith("maze/")]
        assert sum(scores) / 2 == summed[arm]["accuracy"]


def circular(folder: Path, name: str) -> tuple[Path, list[list[str]]]:
    """One question of the world, with its options in every order that turning gives, and those orders."""
    write_world(folder / "made.tsv", 1, tasks=["maze"])
    (only,) = TsvFile(folder / "made.tsv").rows()
    options = [only.cells[letter] for letter in "ABCD" if only.cells[letter]]
    right = options["ABCD".index(only.cells["answer"])]
    orders = [options[turn:] + options[:turn] for turn in range(len(options))]
    image = (folder / "made.tsv").read_text().splitlines()[1].split("\t")[-1]
    rows = [
        row(
            5 + turn * 1_000_000,
            question=only.cells["question"],
            answer="ABCD"[order.index(right)],
            image="5" if turn else image,
            gold_edits="trace_path",
            **dict(zip("ABCD", order, strict=False)),
        )
        for turn, order in enumerate(orders)
    ]
    return write(folder / f"{name}.tsv", rows), orders


def drawings(study: Path) -> int:
    return len(list((study / "pictures" / "drawings").rglob("*.json")))


def test_circular_copies_share_one_drawing(tmp_path: Path) -> None:
    source, orders = circular(tmp_path, "maze_circular")
    arms = [Arm(name="direct", policy="none"), Arm(name="gold", policy="oracle", reflect=False, rounds=1)]
    found = run(Study(arms=arms, items=Items(source=str(source))), tmp_path / "study")
    assert len(orders) == 4 and len(found.items) == 4
    assert {one.cluster for one in found.items.values()} == {"maze_circular/5"}
    shown = [tuple(line.answer.probabilities) for line in found.by_arm["direct"] if line.answer]
    assert sorted(shown) == sorted(map(tuple, orders))
    thoughts = [line.rounds[0].thought for line in found.by_arm["gold"]]
    assert drawings(tmp_path / "study") == 1 and len(thoughts) == 4 and len(set(thoughts)) == 1 and thoughts[0]
    assert len({line.cost.drawings for line in found.by_arm["gold"]}) == 1  # each as if asked alone
    clusters = TABLES["clusters"](found)
    assert clusters and [(one["n"], one["items"]) for one in clusters.rows if one["arm"] == "gold"] == [(1, 4)]


@pytest.mark.parametrize(("name", "asked"), [("fickle_circular", 1), ("fickle", 4)])
def test_copies_share_the_choice_of_a_policy_that_never_picks_the_same_twice(
    tmp_path: Path, name: str, asked: int
) -> None:
    times = 0

    async def fickle(situation: Situation) -> Decision:
        nonlocal times
        times += 1
        calls = [call for call in situation.menu.calls if call.edit != "none"]
        return situation.decision(calls[times % len(calls)], f"Time {times}.")

    register_policy(name, fickle)
    source, _ = circular(tmp_path, name)
    arm = Arm(name="fickle", policy=name, reflect=False, rounds=1)
    wanted = Study(arms=[Arm(name="direct", policy="none"), arm], items=Items(source=str(source), count=3))
    run(wanted, tmp_path / "study")
    found = run(requested(read_header(tmp_path / "study"), "", count=4), tmp_path / "study")  # goes on with the last
    assert times == drawings(tmp_path / "study") == asked
    assert len({line.rounds[0].thought for line in found.by_arm["fickle"]}) == asked


def test_items_of_a_benchmark(tmp_path: Path) -> None:
    rows = [
        row(number + copy * 1_000_000, category=f"kind {number}", image=encoded(number + 1) if not copy else number)
        for copy in range(2)
        for number in range(3)
    ]
    found = items(tmp_path, write(tmp_path / "x_circular.tsv", rows))
    assert [one.id.partition("/")[2] for one in found] == ["0", "1000000", "1", "1000001", "2", "1000002"]
    assert found[0].answers == ["red"] and found[0].gold_edits is None
    assert found[2].groups == {"benchmark": "x_circular", "category": "kind 1"}
    assert found[0].pictures == found[1].pictures != found[2].pictures
    assert items(tmp_path, tmp_path / "x_circular.tsv", count=3) == found[:3]


def test_several_sources_in_turn(tmp_path: Path) -> None:
    first = write(tmp_path / "first.tsv", [row(number) for number in range(3)])
    (tmp_path / "a.png").write_bytes(png())
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"picture": "a.png", "question": "Which?", "answer": "red", "cluster": "x"}) + "\n")
    found = items(tmp_path, first, own)
    assert [one.id for one in found] == ["first/0", "own/1", "first/1", "first/2"] and found[1].cluster == "own/x"
    assert items(tmp_path, first, own, count=2) == found[:2]  # so that a study of two grows into one of four
    with pytest.raises(StudyError, match="two sources called 'first'"):
        items(tmp_path, first, first)
    with pytest.raises(ValueError, match="the world stands for itself"):
        Items(source=["world", str(first)])
    with pytest.raises(UnknownNameError, match=r"no benchmark called 'MMStarr'. Did you mean MMStar"):
        items(tmp_path, "MMStarr")


def test_rows_that_cannot_be_asked_are_passed_over_and_counted(tmp_path: Path) -> None:
    write_world(tmp_path / "some.tsv", 3, tasks=["shapes"])
    lines = (tmp_path / "some.tsv").read_text().splitlines()
    cells = [line.split("\t") for line in lines]
    cells[2][0], cells[2][-1] = "1", encoded()[:72]  # a picture that is cut off
    cells.append(["9", *cells[1][1:-1], ""])
    (tmp_path / "some.tsv").write_text("".join("\t".join(one) + "\n" for one in cells))
    source = str(tmp_path / "some.tsv")
    with pytest.raises(BenchmarkError, match="row '1', column 'image'"):
        items(tmp_path, source)
    sum_before = md5_of(tmp_path / "some.tsv")
    study = Study(arms=[Arm(name="direct", policy="none")], items=Items(source=source, lenient=True))
    found = run(study, tmp_path / "study")
    assert list(found.items) == ["some/0", "some/2"]
    assert found.header.versions == {"some": sum_before}
    told = found.header.passed_over["some"]
    assert len(told) == 2 and "row '1', column 'image'" in told[0] and "row '9', column 'image': it is empty" in told[1]
    assert any("2 rows of some could not be asked" in note for note in notes(found))
    (tmp_path / "some.tsv").unlink()  # the folder goes on with what it has
    again = run(requested(found.header, ""), tmp_path / "study")
    assert again.header == found.header


def test_answers_for_a_judge_need_one(tmp_path: Path) -> None:
    source = write(tmp_path / "MMVet.tsv", [row(1, A="", B="", answer="a cat<AND>a dog")])
    with pytest.raises(StudyError, match="graded by a chat model"):
        items(tmp_path, source)
    (found,) = items(tmp_path, source, scorer="judge:openai:gpt-4o-mini")
    assert found.scorer == "judge:openai:gpt-4o-mini" and found.options == []
