#!/usr/bin/env bash
# lmms-eval 0.7.3, multiple_choice tasks: what the docstring of `lmms.loglikelihood` asks for cannot be scored, and a
# model that is always right scores 0.0 once it can.
#
# What people guess: a model returns pairs (log-probability, whether greedy), as the docstring of `lmms.loglikelihood`
# says, and the task takes the option of the largest. What happens:
# - The evaluator turns each pair into its `str`; the task cannot unpack that: a ValueError, in a RetryError after five
#   tries. No results are written, and the exit status is 0.
# - Inside lmms-eval's own `GenerationResult`, made for texts, a pair survives. But the task takes the smallest number:
#   log-probabilities score 0.0 where the right option is always the likeliest, and their negatives, losses, score 1.0.
#   A comment in the task's code says that many models return a loss; the docstring does not.
# Why it matters: a plug-in that follows the docstring dies; one that is mended until it runs gets an upside-down score,
# which looks like a bad model and not like a fault. A plug-in must return losses, wrapped.
#
# Output seen (with torch 2.13.0, transformers 5.23.0, datasets 5.2.0):
#   a pair in the evaluator:          '(-0.105, True)'
#   log-probabilities, pairs:         exit status 0, no results, RetryError of ValueError
#   log-probabilities, wrapped pairs: exit status 0, acc 0.0
#   losses, wrapped pairs:            exit status 0, acc 1.0
# It exits with 1 once any of this differs.
#
# Usage: findings/lmms-eval-loglikelihood.sh   (needs Python 3.11 or later and a package index; takes a few minutes)
# The CPU build of torch is enough: put PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu in front.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3}" -m venv venv
install="venv/bin/pip --disable-pip-version-check install --quiet"
# Of what lmms-eval names, the part that this run reaches: all of it is several gigabytes. It imports `filelock._api`,
# which filelock 4.2 has and 4.3.1 has not.
$install torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0 evaluate==0.4.6 filelock==4.2.11 \
    fsspec==2026.9.0 huggingface-hub==2.4.0 loguru==0.7.3 numpy==2.4.6 pandas==3.1.1 pillow==13.0.0 pyarrow==26.0.1 \
    pytablewriter==1.2.1 python-dotenv==1.2.4 pytz==2026.6 sacrebleu==2.6.0 tenacity==9.1.4
$install --no-deps lmms-eval==0.7.3

cat >model.py <<'PYTHON'
"""A model that finds the right option always likeliest, nine to one."""
import math

from lmms_eval.api.instance import GenerationResult
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

manifest = ModelManifest(model_id="right", simple_class_path="model.Right")


class Right(lmms):
    generate_until = generate_until_multi_round = None  # the task asks for neither

    def __init__(self, gives, **_):
        super().__init__()
        self.gives = gives

    def loglikelihood(self, requests):
        pairs = []
        for _, continuation, _, document, task, split in (request.args for request in requests):
            right = continuation.strip() == self.task_dict[task][split][document]["answer"]
            pairs.append((math.log(0.9 if right else 0.1), right))
        if self.gives == "pairs":
            return pairs  # list[tuple[float, bool]]: "pairs (logprob, isgreedy)"
        if self.gives == "losses":
            pairs = [(-logprob, greedy) for logprob, greedy in pairs]
        return [GenerationResult(text=pair) for pair in pairs]
PYTHON
# What an installed plug-in leaves beside its module, found from this folder.
mkdir right-1.0.dist-info tasks
printf 'Metadata-Version: 2.1\nName: right\nVersion: 1.0\n' >right-1.0.dist-info/METADATA
printf '[lmms_eval.models]\nright = model:manifest\n' >right-1.0.dist-info/entry_points.txt

cat >tasks/colours.yaml <<YAML
task: colours
dataset_path: parquet
dataset_kwargs: {data_files: $place/documents.parquet}
test_split: train
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{options.index(answer)}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
YAML
venv/bin/python - <<'PYTHON'
import pyarrow
import pyarrow.parquet

documents = [
    {"question": "Which colour has a clear sky?", "options": ["red", "blue"], "answer": "blue"},
    {"question": "Which colour has grass?", "options": ["green", "black"], "answer": "green"},
    {"question": "Which colour has snow?", "options": ["brown", "white"], "answer": "white"},
    {"question": "Which colour has coal?", "options": ["black", "yellow"], "answer": "black"},
]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(documents), "documents.parquet")
PYTHON

export HF_HOME="$place/hub" HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 OMP_NUM_THREADS=1
for gives in pairs wrapped losses; do
    status=0
    venv/bin/python -m lmms_eval --model right --model_args "gives=$gives" --tasks colours --include_path tasks \
        --batch_size 1 --output_path "$gives" >"$gives.log" 2>&1 || status=$?
    echo "$status" >"$gives.status"
done

cat >compare.py <<'PYTHON'
"""Prints what each run came to, and exits with 1 where that is not what the head of this script says."""
import json
import sys
from pathlib import Path

from lmms_eval.api.instance import unwrap_generation_output


def outcome(gives: str) -> str:
    status = Path(f"{gives}.status").read_text().strip()
    log = Path(f"{gives}.log").read_text()
    if files := list(Path(gives).rglob("*_results.json")):
        [file] = files
        return f"exit status {status}, acc {json.loads(file.read_text())['results']['colours']['acc,none']:.1f}"
    if "RetryError" in log and "raised ValueError" in log:
        return f"exit status {status}, no results, RetryError of ValueError"
    return f"exit status {status}, no results:\n{log[-3000:]}"


EXPECTED = {
    "a pair in the evaluator:": "'(-0.105, True)'",
    "log-probabilities, pairs:": "exit status 0, no results, RetryError of ValueError",
    "log-probabilities, wrapped pairs:": "exit status 0, acc 0.0",
    "losses, wrapped pairs:": "exit status 0, acc 1.0",
}
kept, _ = unwrap_generation_output((-0.105, True))
seen = dict(zip(EXPECTED, [repr(kept), *map(outcome, ("pairs", "wrapped", "losses"))], strict=True))
for name, value in seen.items():
    print(f"{name:33} {value}")
if seen != EXPECTED:
    sys.exit("This is not what the head of this script says: the behaviour has changed, or a run failed otherwise.")
PYTHON
venv/bin/python compare.py
