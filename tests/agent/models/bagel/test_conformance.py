"""A BAGEL keeps to every rule of the protocol: a tiny checkpoint through the same code as the whole one."""

import json
from pathlib import Path

from typer.testing import CliRunner

from g2u.cli import app
from g2u.conformance.rules import check_conformance
from g2u.models.bagel.model import BagelModel


def test_a_bagel_keeps_to_every_rule(model: BagelModel) -> None:
    found = list(check_conformance(model))
    assert [(one.rule, one.found) for one in found if one.status == "failed"] == []
    asked = {one.rule for one in found if one.status == "passed"}
    assert {"scores", "texts", "views", "thoughts", "presets", "cancel", "deadline", "prefix cache"} <= asked


def test_the_command_takes_a_folder_of_weights(golden: Path) -> None:
    done = CliRunner().invoke(app, ["models", "check", "bagel", "--weights", str(golden), "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["model"]["model"] == "bagel"
    assert {one["status"] for one in told["rules"]} == {"passed", "not declared"}
