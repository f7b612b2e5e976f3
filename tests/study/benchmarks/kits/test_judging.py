"""Judges: who is asked what, what their replies are worth, and what becomes of an item that waits for one."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel

from g2u.errors import BenchmarkError, WriterError
from g2u.loop.deciding.writers import register_writer
from g2u.study.benchmarks.kits.judging import Asked, ChatJudge, KeptJudge
from g2u.study.benchmarks.kits.kits import KITS
from g2u.study.benchmarks.rows import Row
from tests.study.benchmarks import golden

NEW, LMMS = KITS["vlmevalkit-2026-08"], KITS["lmms-eval-0.7.3"]
OPTIONS = {"A": "red circle", "B": "blue square", "C": "green triangle", "D": "yellow diamond"}


class Scripted:
    """Says what stands for a row, one reply after the other, or that it cannot be reached; counts."""

    name = "scripted"

    def __init__(self, **replies: list[str]) -> None:
        self.replies = replies
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> str:
        with self._lock:
            self.asked.append(asked)
        replies = self.replies.get(f"row{asked.index}")
        if replies is None:
            raise WriterError("The judge 'scripted' gave no reply: the line is dead.")
        return replies[min(asked.attempt, len(replies) - 1)]


def rows(*answers: str) -> list[Row]:
    return [
        Row(str(place), {"question": "Which one?", **OPTIONS, "answer": answer}) for place, answer in enumerate(answers)
    ]


def test_only_what_the_rule_cannot_read_is_asked_about_and_nothing_is_drawn_by_chance() -> None:
    judge = Scripted(row1=["B"], row2=["I do not know."])
    replies = {"0": "A", "1": "It has four corners", "2": "No idea"}
    found = NEW.score("MMStar", rows("A", "B", "C"), replies, judge)
    assert [item.extracted for item in found.items] == ["A", "B", None]
    assert found.main == pytest.approx({"accuracy": 200 / 3}) and found.unparsed == 1
    assert sorted((one.index, one.attempt) for one in judge.asked) == [("1", 0), ("2", 0), ("2", 1), ("2", 2)]
    assert "B. blue square\n" in judge.asked[0].prompt and found.rule == "vlmevalkit-2026-08: choices, judge scripted"


def test_who_cannot_be_reached_leaves_an_item_unjudged_and_is_asked_again(tmp_path: Path) -> None:
    judge, file = Scripted(row0=["B"]), tmp_path / "kept.jsonl"
    replies = {"0": "four corners", "1": "three corners"}
    first = NEW.score("MMStar", rows("B", "C"), replies, KeptJudge(judge, file))
    assert [bool(item.unjudged) for item in first.items] == [False, True] and "line is dead" in first.items[1].unjudged
    assert first.main == {"accuracy": 100.0} and (first.unjudged, first.unparsed) == (1, 0)
    judge.replies["row1"] = ["C"]
    second = NEW.score("MMStar", rows("B", "C"), replies, KeptJudge(judge, file))
    assert second.main == {"accuracy": 100.0} and second.unjudged == 0
    assert sorted(one.index for one in judge.asked) == ["0", "1", "1"]


def test_replies_are_kept_and_what_a_kill_left_of_the_last_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    judge = Scripted(row0=["B"])
    assert KeptJudge(judge, file)(Asked("0", "Which?", 0)) == "B"
    file.write_bytes(file.read_bytes() + b'{"key": "cut')
    assert KeptJudge(judge, file)(Asked("0", "Which?", 0)) == "B" and len(judge.asked) == 1
    assert KeptJudge(judge, file)(Asked("0", "Another?", 0)) == "B"
    assert [json.loads(line)["judge"] for line in file.read_text().splitlines()] == ["scripted"] * 2
    file.write_text("no reply\n")
    with pytest.raises(BenchmarkError, match="Line 1"):
        KeptJudge(judge, file)


def test_grades_of_mm_vet_are_asked_for_until_one_is_a_number() -> None:
    told = [json.loads(line) for line in (golden.FOLDER / "MMVet" / "judge_replies.jsonl").read_text().splitlines()]
    judge = Scripted(**{f"row{one['index']}": one["replies"] for one in told})
    found = NEW.score("MMVet", golden.rows("MMVet"), golden.predictions("MMVet"), judge)
    assert found.main == {"score": pytest.approx(59.1666667)}
    assert len(judge.asked) == sum(len(one["replies"]) for one in told)
    item = next(one for one in judge.asked if one.index == "0")
    assert item.prompt.endswith("Name the two shapes. | circle <AND> square | A circle and a square |")
    by_lmms = LMMS.score("MMVet", golden.rows("MMVet"), golden.predictions("MMVet"), judge)
    assert by_lmms.main == {"score": pytest.approx(59.1666667)}
    assert by_lmms.metrics["rec"] != found.metrics["rec"]  # an item with one capability counts once there


def test_grades_that_wait_for_a_judge_are_in_no_figure() -> None:
    judge = Scripted(row0=["1.0"])
    found = LMMS.score("MMVet", golden.rows("MMVet"), golden.predictions("MMVet"), judge)
    assert found.main == {"score": 100.0} and found.unjudged == len(golden.rows("MMVet")) - 1
    assert "ocr" not in found.metrics or found.metrics["ocr"]["tot"] == 1
    assert (
        "All six capabilities count"
        in NEW.score("MMVet", golden.rows("MMVet"), golden.predictions("MMVet"), judge).problem
    )


def test_mathvista_of_lmms_eval_takes_the_most_similar_option_once_a_judge_has_spoken() -> None:
    cells = {"question_type": "multi_choice", "answer_type": "text", "choices": "['left', 'right']", "answer": "right"}
    number = {"question_type": "free_form", "answer_type": "float", "choices": "[]", "answer": "1.5", "precision": "1"}
    asked = [Row("0", {"question": "Which?", **cells}), Row("1", {"question": "How much?", **number})]
    judge = Scripted(row0=["the right one"], row1=["1.52"])
    found = LMMS.score("MathVista_MINI", asked, {"0": "B", "1": "about one and a half"}, judge)
    assert [(item.extracted, item.hit) for item in found.items] == [("right", 1.0), ("1.5", 1.0)]
    alone = LMMS.score("MathVista_MINI", asked, {"0": "right", "1": "1.5"})
    assert [(item.extracted, item.hit) for item in alone.items] == [("right", 1.0), ("1.5", 1.0)]
    unread = LMMS.score("MathVista_MINI", asked, {"0": "B", "1": "about one and a half"})
    assert unread.main == {"accuracy": 0.0} and unread.unparsed == 2


def test_hallusionbench_of_lmms_eval_is_a_judges() -> None:
    names = ["VD_map_1_0_0_0", "VD_map_1_0_1_0", "VS_map_1_0_0_0"]
    asked = [
        Row(name, {"question": "Is it?", "answer": "Yes", "category": name[:2], "l2-category": "map"}) for name in names
    ]
    judge = Scripted(
        **{f"row{name}": [reply] for name, reply in zip(names, ["Correct.", "incorrect", "unclear"], strict=True)}
    )
    found = LMMS.score("HallusionBench", asked, dict.fromkeys(names, "It is so."), judge)
    assert [item.hit for item in found.items] == [1.0, 0.0, 1.0]  # not to know is right where there is no figure
    assert found.metrics["none"] == pytest.approx({"aAcc": 200 / 3, "fAcc": 50.0, "qAcc": 50.0})
    assert "a judge's" in LMMS.score("HallusionBench", asked, dict.fromkeys(names, "Yes")).problem


def test_a_chat_model_of_langchain_is_a_judge() -> None:
    register_writer("kits-test", FakeListChatModel(responses=["C"]))
    found = NEW.score("MMStar", rows("C"), {"0": "three corners"}, ChatJudge("kits-test"))
    assert found.items[0].extracted == "C" and found.rule.endswith("judge kits-test")
    unknown = NEW.score("MMStar", rows("C"), {"0": "three corners"}, ChatJudge("nobody"))
    assert "There is no writer called 'nobody'" in unknown.items[0].unjudged


def test_two_processes_lose_no_reply_of_each_other(tmp_path: Path) -> None:
    file, judge = tmp_path / "kept.jsonl", Scripted(row0=["B"])
    one, other = KeptJudge(judge, file), KeptJudge(judge, file)
    for number in range(3):
        one(Asked("0", f"One {number}?", 0))
        other(Asked("0", f"Other {number}?", 0))
    again = KeptJudge(judge, file)
    for number in range(3):
        again(Asked("0", f"One {number}?", 0))
        again(Asked("0", f"Other {number}?", 0))
    assert len(judge.asked) == 6 == len(file.read_text().splitlines())
