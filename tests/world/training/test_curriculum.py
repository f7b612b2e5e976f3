"""The curriculum, held against pictures that are painted anew from its seeds and against what its texts say."""

import json
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import torch

from g2u.edits.library import NONE, EditCall, EditLibrary
from g2u.world.items.conditions import present
from g2u.world.items.items import after, gold_edits
from g2u.world.items.tasks import TASKS, UNSEEN, Case, Pictures
from g2u.world.judging.fidelity import faithful
from g2u.world.pictures.mazes import TRACES
from g2u.world.questions.phrasings import PHRASINGS
from g2u.world.questions.questions import Questions
from g2u.world.training.curriculum import DECISIONS, DRAWINGS, PAIR_QUESTIONS, QUESTIONS, ROWS, Ablation, Curriculum
from g2u.world.training.lessons import Lessons, Texts
from g2u.world.training.rows import Step, copied
from g2u.world.training.tokenizer import VERDICTS, train_tokenizer

TOKENIZER, CPU = train_tokenizer(), torch.device("cpu")
LESSONS, LIBRARY = Lessons(TOKENIZER, CPU), EditLibrary.load()
CALLS = [call for call in LIBRARY.calls() if call.edit != NONE]
SCALE, FIRST = 0.1, 12345
KEEP, RETRY, DISCARD = VERDICTS.index("keep"), VERDICTS.index("retry"), VERDICTS.index("discard")


def curriculum(tasks: list[str] | None = None, ablation: Ablation = "nothing", scale: float = SCALE) -> Curriculum:
    return Curriculum(LESSONS, CPU, scale, tasks, ablation)


STEP = curriculum().step(torch.tensor(FIRST), easy=False)


@dataclass(frozen=True)
class Row:
    """A row of a step, as its seed says."""

    task: str
    case: Case
    pictures: Pictures
    questions: Questions
    """`[8]`."""

    def painted(self, case: Case) -> list[torch.Tensor]:
        """The picture under some conditions, with its way, if any, in each colour that ways have."""
        colours = range(len(TRACES) if self.task == "maze" else 1)
        return [
            self.pictures.paint(torch.tensor([[present(case)]]), torch.tensor([colour]))[0, 0] for colour in colours
        ]

    def shows(self, picture: torch.Tensor, case: Case) -> bool:
        return any(torch.equal(picture, one) for one in self.painted(case))

    def unseen(self, number: int) -> bool:
        kind = PHRASINGS[int(self.questions[number,].phrasing)].kind
        return UNSEEN.get((self.task, self.case)) in ("", kind)


def rows(kind: int, plain: bool = False, tasks: list[str] | None = None, scale: float = SCALE) -> list[Row]:
    """The rows of one kind: seeds follow each other, task by task, and the cases of a task take turns."""
    found, seed = [], FIRST
    for task in tasks or list(TASKS):
        for part, full in enumerate(ROWS[task]):
            for _ in range(max(1, round(scale * full))):
                if part == kind:
                    cases = TASKS[task].cases
                    pictures = Pictures.of(task, torch.tensor([seed]))
                    case = () if plain else cases[seed % len(cases)]
                    found.append(Row(task, case, pictures, pictures.ask(QUESTIONS)[0,]))
                seed += 1
    return found


READ, PAIR, DRAW = rows(0, plain=True), rows(1), rows(2)


def told_and_said(texts: Texts, *index: int) -> tuple[str, str]:
    ids, taught = texts.ids[index], texts.taught[index]
    return TOKENIZER.decode(ids[(ids != LESSONS.pad) & ~taught]), TOKENIZER.decode(ids[taught])


def call_of(texts: Texts, question: str, *index: int) -> EditCall:
    """The edit that an instruction asks for."""
    told, said = told_and_said(texts, *index)
    assert said == "", "instructions are told, never said"
    [call] = [call for call in CALLS if LIBRARY.instruction(call, question) == told]
    return call


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return all(same(value, vars(other)[name]) for name, value in vars(one).items())


# Read rows.


def test_read_rows_show_plain_pictures_with_ways_and_marks_drawn() -> None:
    assert len(READ) == len(STEP.read.picture)
    assert all(row.shows(picture, ()) for row, picture in zip(READ, STEP.read.picture, strict=True))


def test_read_rows_are_taught_the_right_answers() -> None:
    assert STEP.read.texts.ids.shape[1] == QUESTIONS
    for number, row in enumerate(READ):
        for line in range(QUESTIONS):
            question = row.questions[line,]
            told, said = told_and_said(STEP.read.texts, number, line)
            assert question.text() in told
            assert said == f" {question.option_words()[int(question.answer)]}<|end|>"


# Pair rows.


def test_pair_rows_show_the_cases_of_a_task_in_turn() -> None:
    assert len(PAIR) == len(STEP.pair.picture)
    assert all(row.shows(picture, row.case) for row, picture in zip(PAIR, STEP.pair.picture, strict=True))


def test_answers_on_pairs_are_taught_only_beside_a_plain_picture() -> None:
    answered = [number for number in range(len(PAIR)) if STEP.pair.answered[number]]
    assert 0.3 < len(answered) / len(PAIR) < 0.9
    for number in answered:
        assert PAIR[number].shows(STEP.pair.thought[number], ())
    assert {len(PAIR[number].case) for number in answered} == {0, 1, 2}
    for number, row in enumerate(PAIR):
        for line in range(PAIR_QUESTIONS):
            question = row.questions[line,]
            said = told_and_said(STEP.pair.texts, number, line)[1]
            assert said == f" {question.option_words()[int(question.answer)]}<|end|>"


def test_a_thought_is_kept_if_it_is_faithful_and_took_something_away() -> None:
    near = faithful(STEP.pair.thought, STEP.pair.truth)
    for number, row in enumerate(PAIR):
        call = call_of(STEP.pair.instructions, row.questions[0,].text(), number)
        fits = call.edit in gold_edits(row.case)
        verdict = int(STEP.pair.verdict[number])
        assert (verdict == DISCARD) is (row.case == ())
        if verdict == KEEP:
            assert fits and near[number], (row.task, row.case, call)
        if verdict == RETRY:
            assert not (fits and near[number]), (row.task, row.case, call)
    assert min(torch.bincount(STEP.pair.verdict, minlength=3).tolist()) >= 3


def test_thoughts_that_mini_is_to_draw_are_true_results_of_their_instructions() -> None:
    drawn = [number for number in range(len(PAIR)) if STEP.pair.drawn[number]]
    assert len(drawn) > 0.05 * len(PAIR)
    chained = 0
    for number in drawn:
        row = PAIR[number]
        call = call_of(STEP.pair.instructions, row.questions[0,].text(), number)
        before = after(row.case, gold_edits(row.case)[0])
        sources = [case for case in (row.case, before) if row.shows(STEP.pair.source[number], case)]
        assert len(sources) == 1
        assert call.edit == gold_edits(sources[0])[0]
        assert row.shows(STEP.pair.truth[number], after(sources[0], call.edit))
        assert torch.equal(STEP.pair.thought[number], STEP.pair.truth[number])
        chained += sources[0] != row.case
    assert chained > 0, "some are drawn from what another edit left"


def test_verdicts_are_those_of_all_three_in_their_order() -> None:
    assert STEP.pair.verdicts.ids.shape[1] == len(VERDICTS)
    for number in range(0, len(PAIR), 5):
        row = PAIR[number]
        call = call_of(STEP.pair.instructions, row.questions[0,].text(), number)
        for line, verdict in enumerate(VERDICTS):
            told, said = told_and_said(STEP.pair.verdicts, number, line)
            assert said == f" {verdict}<|end|>"
            assert row.questions[0,].text() in told and LIBRARY.instruction(call) in told


def test_chances_of_foreign_mixed_and_broken_thoughts_are_there() -> None:
    foreign = sum(
        not any(row.shows(thought, case) for case in {(), row.case, after(row.case, gold_edits(row.case)[0])})
        for row, thought in zip(PAIR, STEP.pair.thought, strict=True)
    )
    assert 0.2 < foreign / len(PAIR) < 0.5


# Draw rows.


def test_targets_are_the_true_results_of_their_instructions() -> None:
    assert len(DRAW) == len(STEP.draw.picture) and STEP.draw.target.shape[1] == DRAWINGS
    calls = set()
    for number, row in enumerate(DRAW):
        ways = [index for index, one in enumerate(row.painted(row.case)) if torch.equal(one, STEP.draw.picture[number])]
        assert ways, "the picture is that of its case"
        for drawing in range(DRAWINGS):
            call = call_of(STEP.draw.instructions, row.questions[0,].text(), number, drawing)
            traced = call.edit == "trace_path" and "untraced" in row.case
            colours = [list(TRACES).index(call.arguments["colour"])] if traced else ways
            truths = row.painted(after(row.case, call.edit))
            target = STEP.draw.target[number, drawing]
            assert any(torch.equal(target, truths[colour]) for colour in colours), (row.task, row.case, call)
            calls.add(call.text)
    assert calls == {call.text for call in CALLS}


def test_the_first_drawing_fits_and_in_easy_steps_the_second_one_too() -> None:
    easy = curriculum().step(torch.tensor(FIRST), easy=True)
    for step, least, most in ((STEP, 0.3, 0.7), (easy, 1.0, 1.0)):
        fitting = []
        for number, row in enumerate(DRAW):
            if row.case:
                one, two = (
                    call_of(step.draw.instructions, row.questions[0,].text(), number, drawing)
                    for drawing in range(DRAWINGS)
                )
                assert one.edit == gold_edits(row.case)[0]
                fitting.append(two.edit in gold_edits(row.case))
        assert least <= sum(fitting) / len(fitting) <= most


def test_decisions_are_the_first_gold_edit_and_are_not_taught_where_training_leaves_them_out() -> None:
    left_out = 0
    for number, row in enumerate(DRAW):
        for line in range(DECISIONS):
            told, said = told_and_said(STEP.draw.decisions, number, line)
            assert row.questions[line,].text() in told
            left_out += row.unseen(line)
            if row.unseen(line):
                assert said == ""
            else:
                assert said.endswith("<|end|>")
                assert json.loads(said.removesuffix("<|end|>"))["edit"] == gold_edits(row.case)[0]
    assert left_out > 3


def test_three_decisions_in_ten_come_after_an_edit_that_was_tried() -> None:
    tried = sum("ried" in told_and_said(STEP.draw.decisions, number, 0)[0] for number in range(len(DRAW)))
    assert 0.2 < tried / len(DRAW) < 0.4


def test_verdicts_are_not_taught_where_training_leaves_them_out() -> None:
    left_out = [number for number, row in enumerate(PAIR) if row.unseen(0)]
    assert left_out and not STEP.pair.judged[left_out].any()
    others = [number for number, row in enumerate(PAIR) if len(row.case) < 2 and not row.unseen(0)]
    assert STEP.pair.judged[others].all()


# The whole.


def test_the_same_seed_gives_the_same_step_and_another_seed_another() -> None:
    small = curriculum(["shapes", "maze"], scale=0.05)
    one, again, other = (small.step(torch.tensor(first), easy=False) for first in (5, 5, 500))
    assert same(one, again)
    for name in vars(one):
        assert not torch.equal(getattr(one, name).picture, getattr(other, name).picture)


def test_a_copy_of_a_step_shares_no_memory_with_it() -> None:
    step = curriculum(["maze"], scale=0.05).step(torch.tensor(0), easy=False)
    copy = copied(step)
    assert isinstance(copy, Step) and same(copy, step)
    copy.draw.target.zero_()
    assert step.draw.target.any()


def test_rows_are_as_many_as_scale_and_shares_say() -> None:
    made = Curriculum(LESSONS, CPU, 0.1, ["maze", "crowd"], kinds=(1.0, 0.5, 0.01))
    step = made.step(torch.tensor(0), easy=False)
    counts = [len(getattr(step, name).picture) for name in ("read", "pair", "draw")]
    assert counts == [2 + 2, 2 + 2, 2] and made.seeds_per_step() == sum(counts)


def test_every_task_has_rows() -> None:
    assert list(ROWS) == list(TASKS)
    assert set(get_args(Ablation)) == {"nothing", "degraded-reading", "one-instruction", "no-decide"}


# Ablations.


def ablated(ablation: Ablation) -> tuple[Step, Step]:
    """Steps with and without an ablation, of tasks with one condition or two."""
    tasks = ["shapes", "crowd"]
    with_, without = (curriculum(tasks, which).step(torch.tensor(FIRST), easy=False) for which in (ablation, "nothing"))
    return with_, without


def test_degraded_reading_shows_faults_to_the_reader_and_changes_nothing_else() -> None:
    step, usual = ablated("degraded-reading")
    faulty = rows(0, tasks=["shapes", "crowd"])
    assert all(row.shows(picture, row.case) for row, picture in zip(faulty, step.read.picture, strict=True))
    assert (step.read.picture != usual.read.picture).flatten(1).any(dim=1).float().mean() > 0.6
    assert same(step.read.texts, usual.read.texts) and same(step.pair, usual.pair) and same(step.draw, usual.draw)


def test_one_instruction_tells_the_drawer_the_same_of_every_edit_and_changes_nothing_else() -> None:
    step, usual = ablated("one-instruction")
    assert len(step.draw.instructions.ids.flatten(0, 1).unique(dim=0)) == 1
    assert len(step.pair.instructions.ids.unique(dim=0)) == 1
    assert len(usual.draw.instructions.ids.flatten(0, 1).unique(dim=0)) > 5
    assert torch.equal(step.draw.target, usual.draw.target) and same(step.draw.decisions, usual.draw.decisions)
    assert same(step.read, usual.read) and torch.equal(step.pair.thought, usual.pair.thought)


def test_without_deciding_no_decision_is_taught_and_nothing_else_changes() -> None:
    step, usual = ablated("no-decide")
    assert usual.draw.decisions.taught.any() and not step.draw.decisions.taught.any()
    assert torch.equal(step.draw.decisions.ids, usual.draw.decisions.ids)
    assert torch.equal(step.draw.target, usual.draw.target) and same(step.pair, usual.pair)


@pytest.mark.parametrize("task", TASKS)
def test_a_single_task_can_be_taught_alone(task: str) -> None:
    step = curriculum([task], scale=0.02).step(torch.tensor(3), easy=False)
    assert len(step.read.picture) >= 1 and step.draw.target.dtype == torch.uint8
