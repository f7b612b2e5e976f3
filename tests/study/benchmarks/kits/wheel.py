"""Scores cases with the data-set classes of VLMEvalKit's own wheel: `python wheel.py FOLDER`, in a process of its own.

A folder has one for each case, with `BENCHMARK.tsv` and `model_BENCHMARK.xlsx`; `found.json` is what came of it.

Set aside are the check of MD5 sums of the released files, and the imports of the other benchmarks, which would need
torchvision, decord and more. What reads and scores an answer is the wheel's.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

CLASSES = {
    **dict.fromkeys(
        ("MMBench_DEV_EN", "MMStar", "R-Bench-Dis", "AI2D_TEST", "RealWorldQA", "VStarBench", "BLINK", "MMVP"),
        ("image_mcq", "ImageMCQDataset", "_exact_matching_result", "hit"),
    ),
    **dict.fromkeys(("MME", "POPE", "HallusionBench"), ("image_yorn", "ImageYORNDataset", "_auxmatch", "score")),
}
"""By benchmark: module and class, and the file and column with what each item is worth."""


def stand_in() -> None:
    """Packages whose `__init__` would import everything, without it."""
    found = importlib.util.find_spec("vlmeval")
    assert found and found.submodule_search_locations
    home = Path(found.submodule_search_locations[0])
    for name in ("vlmeval", "vlmeval.dataset", "vlmeval.api"):
        package = ModuleType(name)
        package.__path__ = [str(home.parent / name.replace(".", "/"))]
        sys.modules[name] = package


def score(case: Path) -> dict[str, float]:
    """Index to what the wheel gives for the answer; of circular questions one for each group."""
    name = case.name.partition("__")[0]
    module, kind, ending, column = CLASSES[name]
    os.environ["LMUData"] = str(case)  # noqa: SIM112  # as the kit calls it
    found: Any = getattr(importlib.import_module(f"vlmeval.dataset.{module}"), kind)
    own = type(found.__name__, (found,), {"prepare_tsv": lambda self, url, _=None: found.prepare_tsv(self, url, None)})
    own(name).evaluate(str(case / f"model_{name}.xlsx"), model="exact_matching", nproc=1)
    load = importlib.import_module("vlmeval.smp").load
    table = load(str(case / f"model_{name}{ending}.xlsx"))
    return {str(index): float(value) for index, value in zip(table["index"], table[column], strict=True)}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    stand_in()
    found = {case.name: score(case) for case in sorted(folder.iterdir())}
    (folder / "found.json").write_text(json.dumps(found))
