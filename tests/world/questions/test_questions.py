"""Questions: wordings, options and where the answer stands among them."""

import re
from itertools import groupby

import pytest
import torch

from g2u.world.items.tasks import TASKS, Pictures
from g2u.world.materials.words import COLOURS, SYNONYMS, WORDS, YES_NO, indices
from g2u.world.questions.phrasings import PHRASINGS
from g2u.world.questions.posing import OPTIONS, Asked, each_question, pose
from g2u.world.questions.questions import Questions
from g2u.world.seeds import absolute_seed

PICTURES, EACH = 60, 8
FIRST = absolute_seed("held-out", 1000)
NUMBERS_OF_OPTIONS = {"there": 2, "missing": 2, "compare": 2, "row": 3}
WITHOUT_SUBJECT = {"spot", "word", "number", "extreme", "exit", "next"}


def asked(task: str, held_out: bool = False) -> Questions:
    return Pictures.of(task, FIRST + torch.arange(PICTURES)).ask(EACH, held_out)


def each(questions: Questions) -> list[Questions]:
    return [questions[row, column] for row in range(PICTURES) for column in range(EACH)]


QUESTIONS = {task: each(asked(task)) for task in TASKS}


def kind_of(question: Questions) -> str:
    return PHRASINGS[int(question.phrasing)].kind


def test_every_kind_has_three_wordings_of_which_the_last_is_held_out() -> None:
    for _, group in groupby(PHRASINGS, key=lambda phrasing: (phrasing.kind, phrasing.relation)):
        wordings = list(group)
        assert [phrasing.held_out for phrasing in wordings] == [False, False, True]
        assert len({phrasing.text for phrasing in wordings}) == 3
        assert all((phrasing.relation in phrasing.text) and phrasing.text.endswith("?") for phrasing in wordings)


def test_every_phrasing_says_something_else() -> None:
    assert len({phrasing.text for phrasing in PHRASINGS}) == len(PHRASINGS)


@pytest.mark.parametrize("task", TASKS)
def test_options_differ_and_hold_the_answer(task: str) -> None:
    for question in QUESTIONS[task]:
        options = question.option_words()
        assert len(set(options)) == len(options) == NUMBERS_OF_OPTIONS.get(kind_of(question), OPTIONS)
        assert 0 <= int(question.answer) < len(options)
        assert not set(options) & set(SYNONYMS), "a synonym is never an option"


@pytest.mark.parametrize("task", TASKS)
def test_answers_stand_at_every_place_alike_often(task: str) -> None:
    by_kind: dict[str, list[int]] = {}
    for question in QUESTIONS[task]:
        by_kind.setdefault(kind_of(question), []).append(int(question.answer))
    for kind, places in by_kind.items():
        count = torch.tensor(places).bincount(minlength=NUMBERS_OF_OPTIONS.get(kind, OPTIONS))
        even = len(places) / len(count)
        assert (count - even).abs().max() < 5 * even**0.5, (kind, count.tolist())


@pytest.mark.parametrize("task", TASKS)
def test_what_is_asked_about_is_never_offered(task: str) -> None:
    for question in QUESTIONS[task]:
        kind = kind_of(question)
        if kind not in WITHOUT_SUBJECT:
            named = WORDS[int(question.subject)]
            assert SYNONYMS.get(named, named) not in question.option_words()


def test_a_question_without_a_subject_may_offer_any_word_even_the_first() -> None:
    extreme = [question for question in QUESTIONS["chart"] if kind_of(question) == "extreme"]
    wrong = [word for q in extreme for place, word in enumerate(q.option_words()) if place != int(q.answer)]
    assert WORDS[0] == "red" and wrong.count("red") > 0.5 * wrong.count("blue") > 0
    seeds = torch.arange(200)
    pool = torch.tensor(indices(COLOURS)).expand(200, -1)
    offered = pose([Asked("exit", torch.full_like(seeds, 5), pool)], seeds, 1).options
    assert 0.1 < (offered == 0).any(dim=2).float().mean() < 0.5


def test_yes_and_no_are_offered_and_right_alike_often() -> None:
    for task, kind in (("objects", "there"), ("objects", "missing"), ("shapes", "there"), ("chart", "compare")):
        questions = [question for question in QUESTIONS[task] if kind_of(question) == kind]
        assert all(set(question.option_words()) == set(YES_NO) for question in questions)
        yes = sum(question.option_words()[int(question.answer)] == "yes" for question in questions)
        assert 0.3 < yes / len(questions) < 0.7


@pytest.mark.parametrize("task", TASKS)
def test_held_out_wordings_are_used_when_they_are_wanted_and_never_else(task: str) -> None:
    assert not any(PHRASINGS[int(question.phrasing)].held_out for question in QUESTIONS[task])
    held_out = asked(task, held_out=True)
    assert all(PHRASINGS[int(question.phrasing)].held_out for question in each(held_out))
    usual = asked(task)
    for name in ("subject", "options", "answer"):
        assert torch.equal(getattr(held_out, name), getattr(usual, name)), "only the wording differs"


def test_every_wording_is_used() -> None:
    used = {int(q.phrasing) for task in TASKS for q in (*QUESTIONS[task], *each(asked(task, held_out=True)))}
    assert used == set(range(len(PHRASINGS)))


def test_kinds_are_asked_alike_often() -> None:
    for task in ("shapes", "chart", "turned"):
        kinds = [kind_of(question) for question in QUESTIONS[task]]
        counts = [kinds.count(kind) for kind in set(kinds)]
        assert min(counts) > 0.6 * max(counts)


def test_a_fifth_of_the_subjects_with_a_synonym_are_said_by_it() -> None:
    named = [WORDS[int(q.subject)] for q in QUESTIONS["shapes"] if kind_of(q) in ("colour", "shape", "row")]
    said = sum(word in SYNONYMS for word in named)
    could = said + sum(word in SYNONYMS.values() for word in named)
    assert 0.1 < said / could < 0.3


@pytest.mark.parametrize("task", TASKS)
def test_text_has_its_words_filled_in(task: str) -> None:
    for question in QUESTIONS[task]:
        text = question.text()
        assert re.fullmatch(r"[A-Z][A-Za-z ,]*\?", text), text
        if kind_of(question) not in WITHOUT_SUBJECT:
            assert WORDS[int(question.subject)] in re.split(r"[ ,?]", text)
        if kind_of(question) == "compare":
            assert WORDS[int(question.other)] in re.split(r"[ ,?]", text)


def test_questions_do_not_depend_on_the_batch() -> None:
    alone = Pictures.of("shapes", FIRST + torch.tensor([7])).ask(EACH)
    for name, tensor in vars(asked("shapes")).items():
        assert torch.equal(getattr(alone, name)[0], tensor[7])


def test_the_questions_of_a_picture_have_seeds_of_their_own() -> None:
    assert each_question(torch.tensor([3, 4]), 3).tolist() == [9, 10, 11, 12, 13, 14]
