"""The rules beside what the kits themselves computed."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from g2u.errors import BenchmarkError
from g2u.study.benchmarks.check_golden import check
from g2u.study.benchmarks.kits.kits import KITS
from tests.study.benchmarks import golden


def test_every_figure_and_item_of_the_newer_kit_is_the_same() -> None:
    assert check(golden.FOLDER, KITS["vlmevalkit-2026-08"]) == []
    assert len(golden.CASES) == 16


@pytest.mark.parametrize(
    ("case", "share"), [("MMStar", 0.375), ("R-Bench-Dis", 0.375), ("VStarBench", 5 / 12)], ids=str
)
def test_the_older_kit_gives_what_its_wheel_gave(case: str, share: float) -> None:
    """As measured with the data-set classes of `ms-vlmeval` 0.0.20, whose reading is that of the older kit."""
    found = KITS["vlmevalkit-2025-10"].score(golden.benchmark(case), golden.rows(case), golden.predictions(case))
    assert found.metrics["none"]["Overall"] == pytest.approx(share)
    newer = golden.expected(case)["metrics"]["none"]["Overall"]
    assert newer != pytest.approx(share)


def test_the_older_kit_scores_no_pairs() -> None:
    found = KITS["vlmevalkit-2025-10"].score("MMVP", golden.rows("MMVP"), golden.predictions("MMVP"))
    assert found.metrics == {"none": {"Overall": 0.5625}} and not found.groups
    newer = KITS["vlmevalkit-2026-08"].score("MMVP", golden.rows("MMVP"), golden.predictions("MMVP"))
    assert newer.main == {"pairs": 25.0, "accuracy": 56.25} and sum(newer.groups.values()) == 2


def test_a_disagreement_is_told_by_case_item_and_figure(tmp_path: Path) -> None:
    shutil.copytree(golden.FOLDER / "MMStar", tmp_path / "MMStar")
    path = tmp_path / "MMStar" / "expected.json"
    changed = json.loads(path.read_text("utf-8"))
    changed["items"][4]["extracted"], changed["metrics"]["none"]["Overall"] = "B", 0.5
    path.write_text(json.dumps(changed), "utf-8")
    command = (sys.executable, "-m", "g2u.study.benchmarks.check_golden", str(tmp_path), "--json")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) == {
        "kit": "vlmevalkit-2026-08",
        "disagreements": [
            {"case": "MMStar", "what": "figure none: Overall", "theirs": 0.5, "ours": pytest.approx(1 / 3)},
            {"case": "MMStar", "what": "item 4: extracted", "theirs": "B", "ours": "A"},
        ],
    }


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no case"):
        check(tmp_path, KITS["vlmevalkit-2026-08"])


NOT_FOUND = {
    ("HallusionBench", "VD_illusion_1_0_1_0"): "Nope",
    ("HallusionBench", "VS_chart_1_0_1_0"): "There is a circle on the left.",
    ("MME", "15"): "Yeah, sure",
    ("MME", "16"): "Nope",
    ("MME", "21"): "There is a circle on the left.",
    ("MME", "33"): "是",
    ("MMStar", "10"): "Ｄ",  # noqa: RUF001
    ("POPE", "1"): "是",
    ("POPE", "13"): "True",
    ("R-Bench-Dis", "10"): "“C”",
    ("R-Bench-Dis", "11"): '{"answer": "B"}',
    ("RealWorldQA__numeric_options", "7"): "11.0",
    ("RealWorldQA__numeric_options", "10"): "1.0",
}
"""What a person reads and the careful reader does not; it never reads anything else than a person."""


def test_a_careful_reader_reads_what_a_person_does_or_nothing() -> None:
    read = {"strict": Counter[str](), "vlmevalkit-2026-08": Counter[str]()}
    not_found = {}
    for case in golden.CASES:
        answers = golden.predictions(case)
        found = {
            kit: {
                item.index: item for item in KITS[kit].score(golden.benchmark(case), golden.rows(case), answers).items
            }
            for kit in read
        }
        for told in (told for told in golden.expected(case)["items"] if "human_reading" in told):
            index, human = str(told["index"]), told["human_reading"]
            for kit, items in found.items():
                label = None if items[index].unparsed else items[index].extracted
                read[kit]["same" if label == human else "nothing" if label is None else "another"] += 1
            if found["strict"][index].extracted != human:
                not_found[case, index] = answers[index]
    assert read["strict"] == {"same": 239, "nothing": 13} and not_found == NOT_FOUND
    assert read["vlmevalkit-2026-08"] == {"same": 198, "nothing": 43, "another": 11}


@pytest.mark.parametrize("text", ["{", "[]", '{"metrics": {"none": {"Overall": 0.5}}, "items": [{}]}'])
def test_a_case_of_another_form_is_told(tmp_path: Path, text: str) -> None:
    shutil.copytree(golden.FOLDER / "MMStar", tmp_path / "MMStar")
    (tmp_path / "MMStar" / "expected.json").write_text(text)
    with pytest.raises(BenchmarkError, match=r"The case .*MMStar' cannot be read"):
        check(tmp_path, KITS["vlmevalkit-2026-08"])
