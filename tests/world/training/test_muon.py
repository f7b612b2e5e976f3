"""The batched Muon takes the steps of PyTorch's."""

import pytest
import torch

from g2u.world.training.muon import BatchedMuon, orthogonal

SHAPES = [(24, 8), (8, 24), (8, 8), (24, 8), (8, 8)]


def matrices() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def test_it_takes_the_same_steps_as_that_of_torch() -> None:
    own, theirs = matrices(), matrices()
    batched = BatchedMuon(own, lr=0.02, weight_decay=0.05)
    single = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for one, two in zip(own, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            two.grad = one.grad.clone()
        batched.step()
        single.step()
    for one, two, start in zip(own, theirs, matrices(), strict=True):
        moved = (two - start).norm()
        assert (one - two).norm() / moved < 0.02, "but for bfloat16"


def test_updates_are_nearly_orthogonal() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 16, 40)).float())
    assert values.min() > 0.6 and values.max() < 1.3


def test_a_matrix_without_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match="no gradient"):
        BatchedMuon(matrices(), lr=0.1).step()
