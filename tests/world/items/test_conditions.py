"""Conditions: each stands in the way in its own way, and each edit takes exactly its own away."""

import itertools

import pytest
import torch

from g2u.world.items import conditions
from g2u.world.items.conditions import BLANK, CONDITIONS, MARGIN, PIECES, present
from g2u.world.items.items import after, gold_edits
from g2u.world.items.tasks import CELLS, TASKS, Case, Pictures
from g2u.world.materials.layers import SIZE
from g2u.world.materials.words import COLOURS
from g2u.world.seeds import absolute_seed

SEEDS = absolute_seed("held-out", 0) + torch.arange(3)
COLOUR = torch.tensor([0, 1, 2])
MANY = torch.arange(60)
RANDOM = torch.rand(1, 1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
ALL_KINDS = pytest.mark.parametrize("fine", [False, True])


def paint(task: str, cases: list[Case]) -> torch.Tensor:
    """Each picture in each state, `[3, states, 3, 128, 128]`."""
    flags = torch.tensor([present(case) for case in cases]).expand(len(SEEDS), -1, -1)
    return Pictures.of(task, SEEDS).paint(flags, COLOUR)


def imposed(name: str, pictures: torch.Tensor, fine: bool = False) -> torch.Tensor:
    """One condition on pictures `[1, 1, 3, 128, 128]` or one per seed, for many seeds: `[60, 3, 128, 128]`."""
    made: torch.Tensor = getattr(conditions, name)(pictures.expand(len(MANY), -1, -1, -1, -1), MANY, fine)
    return made[:, 0]


@pytest.mark.parametrize("task", TASKS)
def test_a_condition_changes_the_picture_and_no_two_cases_are_alike(task: str) -> None:
    states = paint(task, list(TASKS[task].cases)).unbind(1)
    for one, other in itertools.combinations(states, 2):
        assert (one != other).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_picture_does_not_depend_on_the_states_that_are_painted_beside_it(task: str) -> None:
    cases = list(TASKS[task].cases)
    together = paint(task, cases)
    for index in (0, len(cases) // 2, len(cases) - 1):
        assert torch.equal(paint(task, [cases[index]])[:, 0], together[:, index])


@pytest.mark.parametrize(("task", "case"), CELLS)
def test_gold_edits_take_the_conditions_of_a_case_away_one_by_one_from_the_outermost(task: str, case: Case) -> None:
    left = case
    for edit in gold_edits(case) if case else []:
        assert CONDITIONS[left[-1]] == edit
        left = after(left, edit)
    assert left == ()
    assert list(case) == sorted(case, key=list(CONDITIONS).index), "innermost first"


def test_no_case_has_two_conditions_of_one_edit() -> None:
    assert all(len({CONDITIONS[name] for name in case}) == len(case) for _, case in CELLS)


@pytest.mark.parametrize("name", ["dark", "bright"])
def test_the_exposure_of_a_picture_can_be_undone_to_within_rounding(name: str) -> None:
    gains = torch.arange(0.10, 0.18, 2e-4)[:, None]
    for task, case in CELLS:
        if name in case:
            for seen, truth in paint(task, [case, after(case, "expose")]).long():
                pairs = (seen * 256 + truth).unique()
                lit, right = pairs // 256, pairs % 256
                if name == "bright":
                    lit, right = 255 - lit, 255 - right
                worst = (lit - gains * right).abs().amax(dim=1)
                assert worst.min() < 0.65, "one share of the light is left everywhere; twice rounded"


@ALL_KINDS
def test_shuffled_pictures_are_their_quarters_in_a_wrong_order(fine: bool) -> None:
    side = SIZE // PIECES

    def quarters(picture: torch.Tensor) -> list[bytes]:
        pieces = [picture[:, y : y + side, x : x + side] for y in (0, side) for x in (0, side)]
        return [piece.numpy().tobytes() for piece in pieces]

    right = quarters(RANDOM[0, 0])
    orders = {tuple(right.index(piece) for piece in quarters(one)) for one in imposed("shuffled", RANDOM, fine)}
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert (0, 1, 2, 3) not in orders and len(orders) > 15


@ALL_KINDS
def test_turned_pictures_are_turned_by_one_to_three_quarters_or_mirrored(fine: bool) -> None:
    one = RANDOM[0, 0]
    ways = [one.flip(2), one.rot90(1, (1, 2)), one.rot90(2, (1, 2)), one.rot90(3, (1, 2))]
    found = []
    for picture in imposed("turned", RANDOM, fine):
        [way] = [index for index, turned in enumerate(ways) if torch.equal(picture, turned)]
        found.append(way)
    assert set(found) == {0, 1, 2, 3} and min(map(found.count, range(4))) > 4


def test_cropped_pictures_have_a_blank_margin_and_are_whole_beside_it() -> None:
    seen = imposed("cropped", RANDOM)
    assert torch.equal(seen[..., :-MARGIN], RANDOM[0, :, ..., :-MARGIN].expand(len(MANY), -1, -1, -1))
    assert torch.equal(seen[..., -MARGIN:], torch.tensor(BLANK)[:, None, None].expand(len(MANY), 3, SIZE, MARGIN))


@ALL_KINDS
def test_bars_of_one_colour_hide_a_third_to_a_half(fine: bool) -> None:
    black, white = (imposed("bars", torch.full_like(RANDOM, value), fine) for value in (0.0, 1.0))
    hidden = (black == white).all(dim=1)
    share = hidden.float().mean(dim=(1, 2))
    assert share.min() > 0.30 and share.max() < 0.60
    for row in range(len(MANY)):
        assert len(black[row][:, hidden[row]].unique(dim=1).T) == 1
    assert not black[~hidden[:, None].expand_as(black)].any() and (white[~hidden[:, None].expand_as(white)] == 1).all()
    seen = imposed("bars", RANDOM, fine)
    kept = ~hidden[:, None].expand_as(seen)
    assert torch.equal(seen[kept], RANDOM[0].expand_as(seen)[kept])


def test_faded_pictures_are_gray_and_as_light_as_before() -> None:
    for task in ("shapes", "chart"):
        seen, truth = paint(task, [("faded",), ()]).int().unbind(1)
        assert torch.equal(seen[:, 0], seen[:, 1]) and torch.equal(seen[:, 0], seen[:, 2])
        red, green, blue = truth.double().unbind(1)
        assert (seen[:, 0] - (0.299 * red + 0.587 * green + 0.114 * blue)).abs().max() <= 1


@ALL_KINDS
def test_blur_smooths_and_keeps_an_even_picture_as_it_is(fine: bool) -> None:
    even = torch.full_like(RANDOM, 0.3)
    assert torch.allclose(imposed("blur", even, fine), even[0].expand(len(MANY), -1, -1, -1), atol=1e-5)
    point = torch.zeros_like(RANDOM)
    point[..., 64, 64] = 1.0
    spots = imposed("blur", point, fine)[:, 0]
    axis = torch.arange(SIZE) - 64.0
    deviation = (spots.sum(dim=1) * axis**2).sum(dim=1).sqrt()
    low, high = (2.5, 3.5) if fine else (4.5, 6.0)
    assert low - 0.05 < deviation.min() < deviation.max() < high + 0.05


@ALL_KINDS
def test_coarse_pixels_are_even_and_few(fine: bool) -> None:
    seen = imposed("pixelated", RANDOM, fine)[0]
    steps = (seen[:, :, 1:] != seen[:, :, :-1]).any(dim=1).any(dim=0).sum()
    assert int(steps) == (17 if fine else 10)
    assert seen.mean().item() == pytest.approx(RANDOM.mean().item(), abs=0.01)


@ALL_KINDS
def test_noise_is_another_one_on_every_value_and_weaker_where_things_are_fine(fine: bool) -> None:
    gray = torch.full_like(RANDOM, 0.5)
    seen = imposed("noise", gray, fine)
    assert seen.min() >= 0 and seen.max() <= 1
    assert abs(seen.mean() - 0.5) < 0.01
    values = seen.flatten(2)[:, :, :5000].double()
    together = torch.corrcoef(values.flatten(0, 1)[:30]) - torch.eye(30)
    assert together.abs().max() < 0.1, "neither channels nor pictures share their noise"
    low, high = (0.35, 0.50) if fine else (0.65, 0.90)
    inside = ((seen > 0) & (seen < 1)).double().mean(dim=(1, 2, 3))
    expected = [torch.erf(torch.tensor(0.5 / deviation / 2**0.5)).item() for deviation in (high, low)]
    assert expected[0] - 0.02 < inside.min() < inside.max() < expected[1] + 0.02


def test_clutter_hides_some_of_a_picture_in_many_colours() -> None:
    black, white = (imposed("cluttered", torch.full_like(RANDOM, value)) for value in (0.0, 1.0))
    hidden = ((black - white).abs() < 1e-5).all(dim=1)
    share = hidden.float().mean(dim=(1, 2))
    assert share.min() > 0.05 and share.max() < 0.6
    assert 0.1 < share.mean() < 0.3
    palette = torch.tensor(list(COLOURS.values()))
    distance = (black.permute(0, 2, 3, 1)[hidden][:, None] - palette).abs().amax(dim=2)
    assert (distance.amin(dim=1) < 1e-3).all() and len(distance.argmin(dim=1).unique()) == len(palette)


def test_busy_grounds_are_loud_and_leave_things_translucent() -> None:
    seen, plain = paint("backdrop", [("busy",), ()]).float().unbind(1)
    corner = (slice(None), slice(None), slice(0, 4))  # a rim on which nothing is painted
    assert (seen[corner].std(dim=(2, 3)).amax(dim=1) > plain[corner].std(dim=(2, 3)).amax(dim=1)).all()


def test_every_condition_is_one_of_some_task() -> None:
    assert {name for task in TASKS.values() for name in task.possible} == set(CONDITIONS)
    assert present(("dark", "blur")) == tuple(name in ("blur", "dark") for name in CONDITIONS)
