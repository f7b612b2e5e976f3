"""Tables of tokens say what the prompts and the tokenizer say."""

import pytest
import torch

from g2u import prompts
from g2u.edits import EditLibrary
from g2u.world.items import sample_batch
from g2u.world.lessons import Lessons, Texts
from g2u.world.questions import Questions
from g2u.world.tokenizer import VERDICTS, train_tokenizer

TOKENIZER = train_tokenizer()
LESSONS = Lessons(TOKENIZER, torch.device("cpu"))
ROWS = 40


def questions(task: str) -> Questions:
    return sample_batch(task, [0] * ROWS, torch.arange(ROWS)).questions


def told_and_said(texts: Texts, row: int) -> tuple[str, str]:
    ids, taught = texts.ids[row, 0], texts.taught[row, 0]
    real = ids != LESSONS.pad
    return TOKENIZER.decode(ids[real & ~taught]), TOKENIZER.decode(ids[taught])


@pytest.mark.parametrize("task", ["scene", "maze", "rotated"])
@pytest.mark.parametrize("shown", [False, True])
def test_answers(task: str, shown: bool) -> None:
    asked = questions(task)
    texts = LESSONS.answers(asked, torch.full((ROWS, 1), int(shown)))
    for row in range(ROWS):
        question = asked[row, 0]
        options = question.option_words()
        prompt = prompts.render("mini", "answer", question=question.text(), options=options if shown else ())
        assert told_and_said(texts, row) == (prompt, f" {options[int(question.answer)]}<|end|>")


@pytest.mark.parametrize("tried", range(-1, 9))
def test_decisions(tried: int) -> None:
    asked = questions("scene")
    call = torch.arange(ROWS)[:, None] % len(LESSONS.calls)
    texts = LESSONS.decisions(asked, call, torch.full((ROWS, 1), tried))
    names = [LESSONS.calls[tried].edit] if tried >= 0 else []
    for row in range(ROWS):
        prompt = prompts.render("mini", "decide", question=asked[row, 0].text(), tried=names)
        assert told_and_said(texts, row) == (prompt, f" {LESSONS.calls[int(call[row])].text}<|end|>")


def test_verdicts() -> None:
    asked, library = questions("maze"), EditLibrary.load()
    call, verdict = torch.arange(ROWS)[:, None] % 8, torch.arange(ROWS)[:, None] % 3
    texts = LESSONS.verdicts(asked, call, verdict)
    for row in range(ROWS):
        instruction = library.instruction(LESSONS.calls[int(call[row])])
        prompt = prompts.render("mini", "reflect", question=asked[row, 0].text(), instruction=instruction)
        assert told_and_said(texts, row) == (prompt, f" {VERDICTS[int(verdict[row])]}<|end|>")


def test_instructions() -> None:
    library = EditLibrary.load()
    texts = LESSONS.instructions(torch.arange(8)[:, None])
    for row, call in enumerate(LESSONS.calls[:8]):
        assert told_and_said(texts, row) == (library.instruction(call), "")


def test_the_last_call_is_none() -> None:
    assert [call.edit for call in LESSONS.calls].index("none") == len(LESSONS.calls) - 1


def test_text_goes_through_the_tokenizer_unchanged() -> None:
    for text in ("What is this? — ein Fuß, 猫!", ' {"edit": "trace_path", "colour": "red"}', "a  b\n"):
        assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
