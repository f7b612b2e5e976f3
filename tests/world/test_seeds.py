"""Randomness of the world: the same for a seed alone and in any batch, and different between splits."""

import ast
import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch

from g2u.errors import UnknownNameError, WorldError
from g2u.world import seeds as module
from g2u.world.seeds import SPLITS, absolute_seed, choose, integers, normal, permutation, uniform

SEEDS = torch.arange(4000)


def test_splits_are_disjoint() -> None:
    for one, other in itertools.combinations(SPLITS.values(), 2):
        assert one.stop <= other.start or other.stop <= one.start


def test_a_seed_of_one_split_is_in_no_other() -> None:
    for name, span in SPLITS.items():
        first, last = absolute_seed(name, 0), absolute_seed(name, len(span) - 1)
        assert [split for split in SPLITS if first in SPLITS[split] or last in SPLITS[split]] == [name]


@pytest.mark.parametrize(
    ("split", "seed", "error"),
    [("held-out", -1, WorldError), ("train", 2**40, WorldError), ("heldout", 0, UnknownNameError)],
)
def test_seeds_outside_are_refused(split: str, seed: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        absolute_seed(split, seed)


@pytest.mark.parametrize("draw", [uniform, normal, permutation])
def test_a_row_does_not_depend_on_its_batch(draw: object) -> None:
    assert callable(draw)
    whole = draw(SEEDS, 3, 9)
    assert torch.equal(whole[[7, 100]], draw(SEEDS[[7, 100]], 3, 9))
    assert not torch.equal(whole, draw(SEEDS, 4, 9))


def test_uniform_is_even() -> None:
    values = uniform(SEEDS, 0, 10)
    assert values.min() >= 0 and values.max() < 1
    histogram = torch.histc(values, bins=10, min=0, max=1) / values.numel()
    assert torch.allclose(histogram, torch.full((10,), 0.1), atol=0.01)
    columns = torch.corrcoef(values.T) - torch.eye(10)
    assert columns.abs().max() < 0.06


def test_normal_has_mean_0_and_deviation_1() -> None:
    values = normal(SEEDS, 0, 11)
    assert abs(values.mean()) < 0.01 and abs(values.std() - 1) < 0.01


def test_permutations_hold_each_number_once() -> None:
    assert torch.equal(permutation(SEEDS, 1, 6).sort(dim=1).values, torch.arange(6).expand(len(SEEDS), -1))


def test_choose_takes_allowed_columns_evenly() -> None:
    allowed = torch.tensor([True, False, True, True]).expand(len(SEEDS), -1)
    counts = choose(SEEDS, 2, allowed).bincount(minlength=4) / len(SEEDS)
    assert torch.allclose(counts, torch.tensor([1 / 3, 0, 1 / 3, 1 / 3]), atol=0.03)


def test_integers_reach_both_ends() -> None:
    assert integers(SEEDS, 5, 2, 7).unique().tolist() == list(range(7))


def streams(path: Path) -> list[int]:
    """Numbers of the streams that a module draws from, as they stand in its calls."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = {"uniform": 1, "normal": 1, "permutation": 1, "integers": 1, "choose": 1, "per_cell": 0}
            where = place.get(node.func.id)
            if where is not None and isinstance(number := node.args[where], ast.Constant):
                found.append(number.value)
    return found


def test_no_two_uses_share_a_stream() -> None:
    """Or a picture's ground would tell which edit is drawn on it."""
    used = Counter(number for path in Path(module.__file__).parent.rglob("*.py") for number in streams(path))
    assert len(used) > 80 and not [number for number, uses in used.items() if uses > 1]
