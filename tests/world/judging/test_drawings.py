"""The evaluation of drawings: its arithmetic by hand, and the shipped model through the engine."""

from typing import Any

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from g2u.edits.library import EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import BudgetError, G2UError, UnknownNameError, WorldError
from g2u.world.judging.drawings import Drawn, examine_drawings, make_jobs, report
from g2u.world.judging.fidelity import psnr
from g2u.world.judging.metrics import ssim
from tests.scripted import ScriptedModel


def pictures(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    one = torch.randint(0, 256, (batch, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return one, (one.int() + torch.arange(batch)[:, None, None, None] * 9).clamp(0, 255).to(torch.uint8)


def test_psnr_and_ssim_are_those_of_torchmetrics_picture_by_picture() -> None:
    one, other = pictures(3)
    for index in range(1, 3):
        wanted = peak_signal_noise_ratio(one[index].float(), other[index].float(), data_range=255.0)
        assert psnr(one, other)[index].item() == pytest.approx(wanted.item(), abs=1e-3)
        alike = structural_similarity_index_measure(
            one[index : index + 1].float(), other[index : index + 1].float(), data_range=255.0
        )
        assert ssim(one, other)[index].item() == pytest.approx(float(alike), abs=1e-4)
    assert psnr(one, other)[0] == 60.0 and ssim(one[:1], other[:1]).tolist() == pytest.approx([1.0])


def test_the_report_by_hand() -> None:
    found = report(
        [
            Drawn("deblur", True, 1, 20.0, 0.5),
            Drawn("deblur", True, 1, 24.0, 0.7),
            Drawn("deblur", False, 1, 40.0, 0.9),
            Drawn("deblur", True, 4, 23.0, 0.8),
            Drawn("deblur", True, 4, 27.0, 0.8),
            Drawn("deblur", False, 4, 50.0, 0.9),
            Drawn("expose", True, 1, 32.0, 0.9),
            Drawn("expose", True, 4, 31.0, 0.9),
        ]
    )
    deblur, expose, overall = found["edits"]["deblur"], found["edits"]["expose"], found["overall"]
    assert deblur["n"] == 2 and list(deblur["steps"]) == ["1", "4"]
    assert deblur["steps"]["1"] == {"psnr": 22.0, "ssim": pytest.approx(0.6), "unfit_psnr": 40.0}
    assert deblur["one_step_gap"] == 3.0 and expose["one_step_gap"] == 0.0
    assert expose["steps"]["4"]["unfit_psnr"] is None
    assert overall["n"] == 3 and overall["steps"]["4"]["psnr"] == pytest.approx(27.0)
    assert overall["one_step_gap"] == pytest.approx(27.0 - 76 / 3)
    assert report([Drawn("deblur", True, 2, 20.0, 0.5)])["overall"]["one_step_gap"] is None


def test_every_edit_is_drawn_where_it_is_the_next_one_and_where_it_does_not_fit() -> None:
    jobs = make_jobs(2)
    edits = [edit.name for edit in EditLibrary.load() if edit.name != "none"]
    assert list(dict.fromkeys(job.call.edit for job in jobs)) == edits
    for edit in edits:
        fits = [job.item for job in jobs if job.call.edit == edit and job.fits]
        assert len(fits) == 2 and all(item.gold_edits[0] == edit for item in fits)
    assert all(job.call.edit not in job.item.gold_edits for job in jobs if not job.fits)
    assert len({job.item.task for job in jobs}) == 13
    assert {job.call.edit for job in make_jobs(1, tasks=["maze"])} == {"trace_path", "expose", "denoise"}


def test_the_shipped_model_draws_what_fits_and_leaves_alone_what_does_not() -> None:
    done: list[tuple[str, int, int]] = []
    found = examine_drawings(items=1, tasks=["shapes"], steps=[2, 1, 2], on_progress=lambda *step: done.append(step))
    total = done[-1][1]
    assert done == [("1 step", total, total), ("2 steps", total, total)]
    assert list(found["overall"]["steps"]) == ["1", "2"] and len(found["edits"]) == found["overall"]["n"] == 6
    assert found["overall"]["steps"]["2"]["psnr"] >= 22 and found["overall"]["steps"]["2"]["unfit_psnr"] >= 30
    assert 0 <= found["overall"]["one_step_gap"] < 5


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"split": "heldout"}, UnknownNameError),
        ({"tasks": ["mase"]}, UnknownNameError),
        ({"items": 0}, WorldError),
        ({"steps": []}, WorldError),
        ({"steps": [0]}, BudgetError),
        ({"model": "minni", "items": 1}, UnknownNameError),
    ],
)
def test_what_cannot_be_examined_is_refused(settings: dict[str, Any], error: type[G2UError]) -> None:
    with pytest.raises(error):
        examine_drawings(**settings)


def test_drawings_of_another_size_are_compared_in_the_size_of_the_world() -> None:
    model = ScriptedModel(draw_script=lambda picture, instruction, seed: picture.resize((192, 192)))
    with Engine(lambda: model) as engine:
        register_engine("large", engine)
        found = examine_drawings("large", items=1, tasks=["faint"], steps=[1])
    assert found["edits"]["outline"]["steps"]["1"]["unfit_psnr"] >= 30  # as it was, but for the change of size
