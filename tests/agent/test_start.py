"""What a start imports: nobody waits for a package that is not used. Watched by names of modules, not by the clock."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from g2u.traces.trace import read_trace
from g2u.world.items.items import spread

COMPUTING = {"torch", "transformers", "diffusers", "tokenizers", "numpy", "scipy"}
ORCHESTRATING = {"langgraph", "langchain_core", "langsmith"}
UNUSED = {"torch._dynamo", "torch._inductor", "sympy", "scipy.stats._stats_py", "transformers", "textual_image"}
"""What an answer of mini needs nothing of. The inner module of `scipy.stats` is there once its body was run."""

COMMAND = """
import sys
from g2u.cli import main
try:
    main()
finally:
    print(*sys.modules, file=open({file!r}, "w"))
"""


def python(code: str, *arguments: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(cwd: Path, *arguments: str) -> set[str]:
    """Modules in a process that ran a command of `g2u`."""
    file = cwd / "modules"
    python(COMMAND.format(file=str(file)), *arguments, cwd=cwd)
    return set(file.read_text().split())


def test_the_package_alone_imports_nothing_heavy(tmp_path: Path) -> None:
    found = python("import g2u, sys; print(*sys.modules)", cwd=tmp_path).split()
    assert "g2u" in found
    assert not {*COMPUTING, *ORCHESTRATING, "PIL", "pydantic", "rich", "typer"} & {*found}


@pytest.mark.parametrize("arguments", [["--help"], ["edits"], ["models"], ["ask", "--help"]])
def test_what_only_lists_imports_neither_torch_nor_a_graph(tmp_path: Path, arguments: list[str]) -> None:
    found = imported(tmp_path, *arguments)
    assert "g2u.cli" in found
    assert not (COMPUTING | ORCHESTRATING) & found


def test_an_answer_with_a_drawing_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (item,) = spread(1)
    item.picture.save(tmp_path / "picture.png")
    found = imported(tmp_path, "ask", "picture.png", item.question, "--policy", "fixed:deblur", "--out", "runs")
    (trace,) = (tmp_path / "runs").glob("*/trace.jsonl")
    drawn = [round.thought for round in read_trace(trace.parent).rounds]
    assert drawn and None not in drawn
    assert "diffusers.schedulers.scheduling_flow_match_euler_discrete" in found  # which drew it
    assert not UNUSED & found


# What is put off is there for whoever uses it: in these processes mini's scheduler is imported first.

PUT_OFF = """
import sys
from g2u.models.mini.scheduler import FlowMatchEulerDiscreteScheduler
assert not {"torch._dynamo", "scipy.stats._stats_py"} & {*sys.modules}
"""


def test_all_of_diffusers_can_be_had_afterwards(tmp_path: Path) -> None:
    code = """
import json
import diffusers
assert diffusers.FlowMatchEulerDiscreteScheduler is FlowMatchEulerDiscreteScheduler
scheduler = FlowMatchEulerDiscreteScheduler(use_beta_sigmas=True)  # scipy.stats has its noise levels
scheduler.set_timesteps(4)
print(json.dumps(scheduler.sigmas.tolist()))
import torch._dynamo.decorators, torch._dynamo.trace_rules
from diffusers.models.attention import BasicTransformerBlock  # decorated with torch's own, as it is without us
assert id(BasicTransformerBlock) in torch._dynamo.trace_rules._allowed_callable_ids.function_ids
"""
    found = json.loads(python(PUT_OFF + code, cwd=tmp_path))
    # The quantiles of Beta(0.6, 0.6) (Lee et al. 2024), between the scheduler's least and largest noise level.
    quantiles = beta.ppf(1 - np.linspace(0, 1, 4), 0.6, 0.6)
    assert found == pytest.approx([*(0.001 + quantiles * (1 - 0.001)), 0.0], abs=1e-6)


def test_a_compiler_that_is_there_already_is_used(tmp_path: Path) -> None:
    code = """
import torch._dynamo
import g2u.models.mini.scheduler
from diffusers.utils.torch_utils import maybe_allow_in_graph
assert maybe_allow_in_graph is torch._dynamo.allow_in_graph
"""
    python(code, cwd=tmp_path)


def test_other_threads_import_what_they_want_meanwhile(tmp_path: Path) -> None:
    code = """
import threading, torch
from g2u.models.mini.scheduler import _put_off
def other():
    import scipy.stats._stats_py, torch._dynamo
with _put_off():
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    import sys
    assert {"torch._dynamo", "scipy.stats._stats_py"} <= {*sys.modules}
"""
    python(code, cwd=tmp_path)


def test_a_diffusers_that_cannot_do_without_is_imported_whole(tmp_path: Path) -> None:
    code = """
import importlib.util
class Refusing:
    def __init__(self, loader):
        raise ImportError("cannot be lazy")
importlib.util.LazyLoader = Refusing
import g2u.models.mini.scheduler as ours
import diffusers
assert diffusers.FlowMatchEulerDiscreteScheduler is ours.FlowMatchEulerDiscreteScheduler
assert diffusers.utils.torch_utils.maybe_allow_in_graph is ours._allow_in_graph
"""
    python(code, cwd=tmp_path)
