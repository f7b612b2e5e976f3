"""The tasks of lmms-eval 0.7.3 for the same benchmarks, each with its own reading and its own figure."""

from __future__ import annotations

import importlib
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from g2u.errors import MissingExtraError

from ..rows import FAILED, Row
from . import lmms_letters as letters
from . import lmms_measures as figures
from . import mmvet
from .judging import Judging, prompt
from .mathvista import options_of as listed_options
from .rules import Rule, choice_prompt, labelled, options_of
from .scored import Case, Reading

_THOUGHT: Final = re.compile(r"<(think|analysis)>.*?</\1>", re.DOTALL)
_OPEN: Final = re.compile(r".*</(?:think|analysis)>", re.DOTALL)


def see(rows: Sequence[Row], predictions: Mapping[str, str]) -> list[Case]:
    """All cells as they are, blanks left out; a reply without its thought and without blanks around it.

    A failure is an empty reply, as lmms-eval has it: its readers find the letter A in the words of the other kit.
    """
    found = []
    for row in rows:
        if row.index in predictions:
            cells = {name: cell for name, cell in row.cells.items() if cell and name != "image"}
            told = _OPEN.sub("", _THOUGHT.sub("", predictions[row.index])).strip()
            found.append(Case(row.index, cells, cells.get("answer"), "" if told == FAILED else told))
    return found


def rules() -> dict[str, Rule]:
    """By VLMEvalKit's name of the benchmark; R-Bench, KiVA and files of one's own have no task."""
    return {
        "MMStar": Rule(
            name="mmstar",
            see=see,
            read=_letter(lambda reply, _: letters.weighed(reply, "ABCD")),
            measure=figures.mmstar,
        ),
        "RealWorldQA": Rule(name="realworldqa", see=see, read=_real_world, measure=figures.mean("exact_match")),
        "AI2D_TEST": Rule(name="ai2d", see=see, read=_ai2d, measure=figures.mean("exact_match")),
        "AI2D_TEST_NO_MASK": Rule(name="ai2d_no_mask", see=see, read=_ai2d, measure=figures.mean("exact_match")),
        "VStarBench": Rule(
            name="vstar_bench",
            see=see,
            read=_letter(lambda reply, _: letters.vstar(reply)),
            measure=figures.mean("vstar_overall_acc", 100),
        ),
        "BLINK": Rule(name="blink", see=see, read=_letter(letters.blink), measure=figures.blink),
        "MMVP": Rule(name="mmvp", see=see, read=_letter(lambda reply, _: letters.mmvp(reply)), measure=figures.mmvp),
        "MMBench_DEV_EN": Rule(
            name="mmbench_en_dev_static, with a judge mmbench_en_dev",
            see=see,
            read=_mmbench,
            measure=figures.mmbench,
            judging=_MMBENCH_JUDGING,
        ),
        "MME": Rule(name="mme", see=see, read=_mme, measure=figures.mme, columns=("category", "image_path")),
        "POPE": Rule(name="pope", see=see, read=_pope, measure=figures.pope),
        "HallusionBench": Rule(
            name="hallusion_bench_image",
            see=see,
            read=mmvet.unread,
            measure=figures.hallusion,
            judging=_HALLUSION_JUDGING,
            graded=True,
        ),
        "MathVista_MINI": Rule(
            name="mathvista_testmini_format",
            see=see,
            read=_maths,
            measure=figures.mean("llm_as_judge_eval", 100),
            judging=_MATHS_JUDGING,
            columns=("question_type", "answer_type", "choices"),
        ),
        "MMVet": Rule(
            name="mmvet",
            see=see,
            read=mmvet.unread,
            measure=mmvet.overall,
            judging=mmvet.judging(tries=4, first_word=True),
            graded=True,
            columns=("category",),
        ),
    }


def _letter(find: Callable[[str, str], str | None]) -> Callable[[Case], Reading]:
    return lambda case: labelled(find(case.prediction, "".join(options_of(case)) or string.ascii_uppercase), case)


def _real_world(case: Case) -> Reading:
    if case.cell("answer").strip().upper() in ("A", "B", "C", "D"):
        return labelled(letters.weighed(case.prediction, "ABCD"), case)
    told = case.prediction.lower().strip().rstrip(".")
    return Reading(told or None, float(told == case.cell("answer").strip().lower()))


def _ai2d(case: Case) -> Reading:
    told = letters.ai2d(case.prediction)
    label = told.upper() if told.upper() in options_of(case) else None
    return Reading(label, float(told == case.cell("answer").lower()))


def _mmbench(case: Case) -> Reading:
    label = letters.matched(case.prediction, _four(case))
    if label:
        return labelled(label, case)
    found = labelled(letters.weighed(case.prediction, "ABCD"), case)
    return Reading(found.label, found.hit, prefetched=False)


def _four(case: Case) -> dict[str, str]:
    """The options of MMBench; where there are fewer than four, its data have the word nan."""
    return {label: case.cell(label) or "nan" for label in "ABCD"}


def _take_mmbench(case: Case, reply: str) -> Reading | None:
    label = letters.matched(reply, _four(case))
    return labelled(label, case, judged=True) if label else None


_MMBENCH_JUDGING: Final = Judging(
    prompt=lambda case: choice_prompt(case, options_of(case)),
    take=_take_mmbench,
    otherwise=lambda case: labelled(None, case),
    tries=3,
)


def _mme(case: Case) -> Reading:
    told = case.prediction.lower().strip().replace(".", "")
    short = {"y": "yes", "n": "no"}.get(told) if len(told) == 1 else None
    label = short or next((word for word in ("yes", "no") if word in told[:4]), None)
    return Reading(label, float(label == case.cell("answer").lower().strip().replace(".", "")))


def _pope(case: Case) -> Reading:
    told = case.prediction.lower().strip()
    label = told if told in ("yes", "no") else None
    return Reading(label, float(told == case.cell("answer").lower().strip()))


def _maths(case: Case) -> Reading:
    """Without a judge: an option in its own words, or a reply that is a number; nothing else."""
    reply, kind = case.prediction, case.cell("answer_type")
    if case.cell("question_type") == "multi_choice" and reply in listed_options(case).values():
        return _normal(case, reply, True)
    try:
        told = {"integer": lambda: str(int(reply)), "float": lambda: str(float(reply))}[kind]()
    except (KeyError, ValueError):
        return Reading(None, 0.0, False)
    return _normal(case, told, True)


def _normal(case: Case, told: str, prefetched: bool) -> Reading:
    """What was extracted, in the form of the answer: of options the most similar one, whatever was said."""
    kind, found = case.cell("answer_type"), told.strip()
    if case.cell("question_type") == "multi_choice":
        options = listed_options(case)
        named = re.findall(r"\(([a-zA-Z])\)", found)
        found = named[0].upper() if named else found
        found = options.get(found) or _most_similar(found, list(options.values()))
    elif kind in ("integer", "float"):
        try:
            number = float(found)
            precision = case.cell("precision")
            # A precision with a decimal point is no number of places to Python, and then nothing is right.
            found = str(int(number)) if kind == "integer" else str(round(number, int(precision)))
        except (ValueError, OverflowError):
            return Reading(None, 0.0, prefetched)
    return Reading(found or None, float(found == case.cell("answer").strip()), prefetched)


def _most_similar(text: str, options: Sequence[str]) -> str:
    try:
        distance = importlib.import_module("rapidfuzz.distance").Levenshtein.distance
    except ImportError as error:
        raise MissingExtraError("MathVista as lmms-eval scores it", "rapidfuzz", "benchmarks") from error
    return min(options, key=lambda option: int(distance(text, option)), default="")


_MATHS_JUDGING: Final = Judging(
    prompt=lambda case: prompt("maths", question=case.cell("question"), reply=case.prediction),
    take=lambda case, reply: _normal(case, reply, False) if reply.strip() else None,
    otherwise=lambda case: _normal(case, "", False),
    tries=5,
)


def _conflict(case: Case) -> str:
    """What a judge is asked: lmms-eval's own data have answers in whole sentences, others yes or no."""
    answer = case.cell("gt_answer_details") or case.cell("answer")
    return prompt("conflict", question=case.cell("question"), answer=answer, reply=case.prediction)


def _take_conflict(case: Case, reply: str) -> Reading:
    told = reply.lower()
    verdict = next((word for word in ("incorrect", "correct") if word in told), "unclear")
    kind, figure = (case.index.split("_") + [""] * 5)[0:5:4]
    fits = verdict == "correct" or (verdict, kind, figure) == ("unclear", "VS", "0")
    return Reading(verdict if verdict != "unclear" else None, float(fits), False)


_HALLUSION_JUDGING: Final = Judging(
    prompt=_conflict, take=_take_conflict, otherwise=lambda case: Reading(None, 0.0, False), tries=1
)
