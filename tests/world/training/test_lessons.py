"""Tables of tokens say what the prompts and the tokenizer say."""

import pytest
import torch

from g2u import prompts
from g2u.edits.library import EditLibrary
from g2u.world.items.tasks import TASKS, Pictures
from g2u.world.materials.words import indices
from g2u.world.questions.phrasings import PHRASINGS
from g2u.world.questions.questions import Questions
from g2u.world.training.lessons import ANSWER_WORDS, DECIDE_WORDS, DRAW_WORDS, REFLECT_WORDS, Lessons, Texts
from g2u.world.training.tokenizer import VERDICTS, train_tokenizer

TOKENIZER = train_tokenizer()
LESSONS = Lessons(TOKENIZER, torch.device("cpu"))
LIBRARY = EditLibrary.load()
NONE = len(LESSONS.calls) - 1
PAIRS = (("square", "circle"), ("circle", "square"), ("box", "disc"), ("zebra", "turquoise"), ("A", "red"))


def every_phrasing() -> Questions:
    """All phrasings with all pairs of words, those that stand for the holes of the tables among them; `[rows, 1]`."""
    phrasing = torch.arange(len(PHRASINGS)).repeat(len(PAIRS))[:, None]
    subject, other = (
        torch.tensor(indices(words)).repeat_interleave(len(PHRASINGS))[:, None] for words in zip(*PAIRS, strict=True)
    )
    options = torch.tensor(indices(("circle", "no", "square", "42"))).expand(*phrasing.shape, -1)
    return Questions(phrasing, subject, other, options, phrasing % 4)


QUESTIONS = every_phrasing()
ROWS = torch.arange(len(QUESTIONS.phrasing))[:, None]


def told_and_said(ids: torch.Tensor, taught: torch.Tensor) -> tuple[str, str]:
    real = ids != LESSONS.pad
    return TOKENIZER.decode(ids[real & ~taught]), TOKENIZER.decode(ids[taught])


def lines(texts: Texts) -> list[tuple[str, str]]:
    """What each line of `[rows, lines]` tells and says, row by row."""
    return [told_and_said(*line) for line in zip(texts.ids.flatten(0, -2), texts.taught.flatten(0, -2), strict=True)]


def answers(questions: Questions) -> list[tuple[str, str]]:
    rows, columns = questions.phrasing.shape
    each = [questions[row, column] for row in range(rows) for column in range(columns)]
    return [
        (
            prompts.render("mini", "answer", question=question.text()),
            f" {question.option_words()[int(question.answer)]}<|end|>",
        )
        for question in each
    ]


def test_answers() -> None:
    assert lines(LESSONS.answers(QUESTIONS)) == answers(QUESTIONS)


@pytest.mark.parametrize("task", TASKS)
def test_answers_of_a_task(task: str) -> None:
    questions = Pictures.of(task, torch.arange(12)).ask(3)
    texts = LESSONS.answers(questions)
    assert texts.ids.shape == (12, 3, ANSWER_WORDS) and lines(texts) == answers(questions)


@pytest.mark.parametrize("tried", [*range(-1, NONE)])
def test_decisions(tried: int) -> None:
    call = (ROWS + tried) % len(LESSONS.calls)
    texts = LESSONS.decisions(QUESTIONS, call, torch.full_like(call, tried))
    assert texts.ids.shape == (len(ROWS), 1, DECIDE_WORDS)
    names = [LESSONS.calls[tried].edit] if tried >= 0 else []
    assert lines(texts) == [
        (
            prompts.render("mini", "decide", question=QUESTIONS[row, 0].text(), tried=names),
            f" {LESSONS.calls[int(call[row])].text}<|end|>",
        )
        for row in range(len(ROWS))
    ]


def test_decisions_with_and_without_a_call_that_was_tried_in_one_batch() -> None:
    call, tried = ROWS * 0 + NONE, torch.where(ROWS % 2 == 0, -1, 3)
    for row, (told, _) in enumerate(lines(LESSONS.decisions(QUESTIONS, call, tried))):
        assert (LESSONS.calls[3].edit in told) is (row % 2 == 1)


def verdict(row: int, call: int, index: int) -> tuple[str, str]:
    instruction = LIBRARY.instruction(LESSONS.calls[call])
    prompt = prompts.render("mini", "reflect", question=QUESTIONS[row, 0].text(), instruction=instruction)
    return prompt, f" {VERDICTS[index]}<|end|>"


def test_verdicts_one_each() -> None:
    call, index = ROWS % NONE, ROWS % 3
    texts = LESSONS.verdicts(QUESTIONS, call, index)
    assert texts.ids.shape == (len(ROWS), 1, REFLECT_WORDS)
    assert lines(texts) == [verdict(row, int(call[row]), int(index[row])) for row in range(len(ROWS))]


def test_all_three_verdicts_on_each_thought_in_one_call() -> None:
    call, each = (ROWS * 5) % NONE, torch.tensor([2, 0, 1]).expand(len(ROWS), -1)
    texts = LESSONS.verdicts(QUESTIONS, call, each)
    assert texts.ids.shape == texts.taught.shape == (len(ROWS), 3, REFLECT_WORDS)
    assert lines(texts) == [
        verdict(row, int(call[row]), index) for row in range(len(ROWS)) for index in each[row].tolist()
    ]


@pytest.mark.parametrize("call", range(NONE))
def test_instructions(call: int) -> None:
    texts = LESSONS.instructions(QUESTIONS, torch.full_like(ROWS, call))
    assert texts.ids.shape == (len(ROWS), 1, DRAW_WORDS)
    expected = [LIBRARY.instruction(LESSONS.calls[call], QUESTIONS[row, 0].text()) for row in range(len(ROWS))]
    assert lines(texts) == [(instruction, "") for instruction in expected]


def test_several_instructions_for_one_question_of_which_some_carry_it() -> None:
    names = [call.edit for call in LESSONS.calls]
    calls = torch.tensor([names.index("mark"), names.index("deblur")]).expand(len(ROWS), -1)
    told = [line for line, _ in lines(LESSONS.instructions(QUESTIONS, calls))]
    for row in range(len(ROWS)):
        assert told[2 * row] == f"Mark what is asked. {QUESTIONS[row, 0].text()}"
        assert told[2 * row + 1] == "Remove the blur."


def test_texts_have_room_for_the_longest_and_hardly_more() -> None:
    call = torch.arange(NONE).expand(len(ROWS), -1)
    made = [
        LESSONS.answers(QUESTIONS),
        *(LESSONS.decisions(QUESTIONS, call * 0 + said, call) for said in range(len(LESSONS.calls))),
        *(LESSONS.verdicts(QUESTIONS, call, call * 0 + index) for index in range(3)),
        LESSONS.instructions(QUESTIONS, call),
    ]
    longest: dict[int, int] = {}
    for texts in made:
        used = int((texts.ids != LESSONS.pad).sum(dim=-1).max())
        words = texts.ids.shape[-1]
        longest[words] = max(longest.get(words, 0), used)
    assert all(words - 4 <= used <= words for words, used in longest.items()), longest


def test_texts_are_taught_only_where_they_should_be() -> None:
    texts = LESSONS.answers(QUESTIONS)
    where = ROWS % 2 == 0
    some = texts.only(where)
    assert torch.equal(some.ids, texts.ids)
    assert torch.equal(some.taught.any(dim=-1), where) and texts.taught.any(dim=-1).all()


def test_the_last_call_is_none() -> None:
    assert [call.edit for call in LESSONS.calls].index("none") == NONE


def test_a_tokenizer_that_cuts_words_up_is_refused() -> None:
    with pytest.raises(ValueError, match="cuts the word"):
        Lessons(train_tokenizer(700), torch.device("cpu"))


def test_text_goes_through_the_tokenizer_unchanged() -> None:
    for text in ("What is this? — ein Fuß, 猫!", ' {"edit": "trace_path", "colour": "red"}', "a  b\n"):
        assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
