"""Fidelity: near as a whole, and with no part that is wrong."""

import math

import pytest
import torch

from g2u.world.judging.fidelity import FAITHFUL_DB, PART, PART_DB, faithful, psnr

TRUTH = torch.full((1, 3, 128, 128), 100, dtype=torch.uint8)


def off(by: int, rows: int = 128, columns: int = 128) -> torch.Tensor:
    """The truth with a rectangle at the top left that is wrong by some levels."""
    drawn = TRUTH.clone()
    drawn[:, :, :rows, :columns] += by
    return drawn


def test_equal_pictures_have_60_decibels() -> None:
    assert psnr(TRUTH, TRUTH).item() == 60 and faithful(TRUTH, TRUTH).item()


@pytest.mark.parametrize("by", [1, 10, 100])
def test_psnr_is_that_of_the_books(by: int) -> None:
    assert psnr(off(by), TRUTH).item() == pytest.approx(20 * math.log10(255 / by), abs=1e-4)


def test_a_drawing_is_faithful_from_its_threshold_on() -> None:
    limit = 255 * 10 ** (-FAITHFUL_DB / 20)
    assert faithful(off(math.floor(limit)), TRUTH).item() and not faithful(off(math.ceil(limit)), TRUTH).item()


def test_one_wrong_part_spoils_a_drawing_that_is_near_as_a_whole() -> None:
    limit = 255 * 10 ** (-PART_DB / 20)
    good, bad = off(math.floor(limit), PART, PART), off(math.ceil(limit), PART, PART)
    assert psnr(bad, TRUTH).item() > FAITHFUL_DB
    assert faithful(good, TRUTH).item() and not faithful(bad, TRUTH).item()


def test_each_drawing_of_a_batch_is_judged_alone() -> None:
    drawn = torch.cat([off(0), off(100), off(3)])
    assert faithful(drawn, TRUTH.expand(3, -1, -1, -1)).tolist() == [True, False, True]
    for row in range(3):
        assert psnr(drawn[row : row + 1], TRUTH).item() == psnr(drawn, TRUTH.expand(3, -1, -1, -1))[row].item()
