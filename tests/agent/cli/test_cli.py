"""The command line: what it prints, what it refuses and what it leaves behind."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from g2u.cli import app
from g2u.cli.doctor import device
from g2u.edits.library import EditLibrary
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.traces.trace import read_trace
from g2u.world.items.conditions import CONDITIONS
from g2u.world.items.items import sample
from g2u.world.items.tasks import TASKS
from g2u.world.seeds import SPLITS
from tests.scripted import Pictures, ScriptedModel
from tests.waiting import HUNG, interruptible

ROOT = Path(__file__).parents[3]
ASK = ["ask", "picture.png", "Which?", "--option", "red", "--option", "blue", "--model", "scripted"]


def score(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
    """Keeps every thought, and answers blue only where there is one."""
    wanted = "keep" if text.endswith("Verdict:") else options[len(pictures) - 1]
    return [-0.1 if option == wanted else -3.0 for option in options]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder with one picture, and a model called `scripted`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    Image.new("RGB", (16, 16), "red").save("picture.png")
    model = ScriptedModel(read_script=lambda text, pictures: '{"edit": "deblur"}', score_script=score)
    engine = Engine(lambda: model)
    register_engine("scripted", engine)
    yield tmp_path
    engine.close()


def g2u(*arguments: str, code: int = 0) -> str:
    """Run a command in this process; what it printed, standard error included only when it fails."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def test_seconds_that_leave_no_time_to_draw_are_told_by_ask() -> None:
    says = "The seconds of the run are used up: nothing was drawn."
    assert f"Stopped (seconds). {says}" in " ".join(g2u(*ASK, "--seconds", "0.000001").split())
    run = json.loads(g2u(*ASK, "--seconds", "0.000001", "--json"))
    assert (run["stopped"], run["rounds"]) == ({"cause": "seconds", "message": says}, [])


def test_ask_prints_one_json_object() -> None:
    run = json.loads(g2u(*ASK, "--rounds", "1", "--json"))
    assert list(run) == [
        "answer", "direct_answer", "missing", "written", "rounds", "stopped", "out_of_vocabulary", "out_of_domain",
        "seconds", "model", "edits", "trace",
    ]  # fmt: skip
    assert (run["missing"], run["written"], run["edits"]) == ("", "", "native")
    assert (run["out_of_vocabulary"], run["out_of_domain"]) == ([], None)
    assert (run["answer"], run["direct_answer"], run["model"]) == ("blue", "red", "scripted")
    (turn,) = run["rounds"]
    assert list(turn) == ["edit", "family", "on", "instruction", "reason", "verdict", "thought"]
    assert (turn["edit"], turn["family"], turn["instruction"]) == ("deblur", "enhancement", "Remove the blur.")
    assert turn["verdict"]["action"] == "keep"
    assert sum(turn["verdict"]["probabilities"].values()) == pytest.approx(1)
    assert Image.open(turn["thought"]).size == (16, 16)
    assert list(run["seconds"]) == ["decide", "generate", "reflect", "direct", "answer", "total"]
    assert run["seconds"]["total"] >= run["seconds"]["generate"] > 0
    assert (Path(run["trace"]) / "index.html").is_file()
    assert read_trace(Path(run["trace"])).status == "done"


def test_ask_shows_the_run_and_ends_with_the_answer() -> None:
    lines = g2u(*ASK).splitlines()
    assert lines[0] == "Which?" and lines[-1] == "blue"
    assert any("deblur" in line for line in lines)


def test_ask_tells_what_the_model_does_not_know() -> None:
    model = ScriptedModel(unknown=frozenset({"which", "blue"}), domain_script=lambda picture: 0.9991)
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        run = json.loads(g2u(*ASK, "--json"))
        shown = " ".join(g2u(*ASK).split())
    assert (run["out_of_vocabulary"], run["out_of_domain"]) == (["which", "blue"], 0.9991)
    assert "scripted does not know the words which, blue; it answers from the rest." in shown
    assert "This picture lies outside of what scripted was trained on; its answer makes no claim." in shown


def test_trace_show_takes_the_newest_run_or_the_named_one() -> None:
    first = json.loads(g2u(*ASK, "--json"))["trace"]
    second = json.loads(g2u(*ASK, "--json"))["trace"]
    assert Path(second).name in g2u("trace", "show").replace("\n", "")
    assert Path(first).name in g2u("trace", "show", first).replace("\n", "")
    demo = json.loads(g2u(*ASK, "--out", "runs/demo", "--json"))["trace"]
    assert Path(demo).name in g2u("trace", "show").replace("\n", "")
    third = json.loads(g2u(*ASK, "--json"))["trace"]
    assert Path(third).name in g2u("trace", "show").replace("\n", "")


BAD = {
    # name of the case: arguments, what the one line says
    "empty question": (["ask", "picture.png", " ", "--model", "scripted"], "The question is empty"),
    "no such picture": (["ask", "no.png", "Which?", "--model", "scripted"], "no picture at 'no.png'"),
    "an address": (["ask", "http://host/a.png", "Which?", "--model", "scripted"], "not fetched from 'host'"),
    "one option": ([*ASK[:5], "--model", "scripted"], "at least two"),
    "options alike": ([*ASK[:6], "Red", "--option", "red ", "--model", "scripted"], "no two alike"),
    "unknown model": (["ask", "picture.png", "Which?", "--model", "minni"], "Did you mean mini?"),
    "unknown policy": ([*ASK, "--policy", "slef"], "Did you mean self?"),
    "unknown edit": ([*ASK, "--policy", "fixed:debblur"], "Did you mean deblur?"),
    "unknown argument": ([*ASK, "--policy", "fixed:deblur(colour=red)"], "its arguments are: none"),
    "an option as argument": (
        [*ASK, "--policy", "fixed:trace_path(colour=red)"],
        "names an option of the question, and no drawing may be told one. Take colour=green instead",
    ),
    "unknown family": ([*ASK, "--family", "structur"], "Did you mean structure?"),
    "unknown fusion": ([*ASK, "--fusion", "concatt"], "Did you mean concat, continued?"),
    "unknown reader": ([*ASK, "--reader", "answr"], "no reader prompt called 'answr'. Did you mean answer?"),
    "too many tokens": ([*ASK, "--max-tokens", "5000"], "1 to 4,096 tokens at most, not 5000"),
    "own words": ([*ASK, "--policy", "own-words"], "has no prompt that asks it"),
    "unknown writer": ([*ASK, "--policy", "writer:mine"], "There is no writer called 'mine'"),
    "no gold edits": ([*ASK, "--policy", "oracle"], "needs the gold edits"),
    "no rounds": ([*ASK, "--rounds", "0"], "1 to 16 rounds"),
    "no seconds": ([*ASK, "--seconds", "-1"], "positive"),
    "no steps": ([*ASK, "--steps", "0"], "1 to 1000 steps"),
    "no such trace": (["trace", "show", "nowhere"], "There is no run in"),
    "no such task": (["world", "sample", "--task", "mazes", "--seed", "1"], "Did you mean maze"),
    "no such fault": (["world", "sample", "--task", "maze", "--fault", "blur"], "do not have the fault"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD.values(), ids=BAD)
def test_bad_input_gets_one_sentence_and_code_2_and_writes_nothing(
    folder: Path, arguments: list[str], says: str
) -> None:
    (line,) = g2u(*arguments, code=2).splitlines()
    assert line.startswith("Error: ") and says in line
    assert [path.name for path in folder.iterdir()] == ["picture.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([*ASK, "--rounds", "two"], "rounds"), (["ask"], "picture"), (["asks"], "No such command"), (["ask", "-x"], "-x")],
)
def test_usage_errors_have_code_2(arguments: list[str], says: str) -> None:
    assert says in g2u(*arguments, code=2)


def test_a_model_that_cannot_edit_is_refused(folder: Path) -> None:
    model = ScriptedModel().declaring(edits="none")
    with Engine(lambda: model) as engine:
        register_engine("reader", engine)
        assert "cannot draw" in g2u("ask", "picture.png", "Which?", "--model", "reader", code=2)
        assert [path.name for path in folder.iterdir()] == ["picture.png"]
        assert json.loads(g2u("ask", "picture.png", "Which?", "--model", "reader", "--policy", "none", "--json"))


def test_an_output_folder_that_cannot_be_written_is_refused(folder: Path) -> None:
    (folder / "file").write_text("")
    (folder / "link").symlink_to("nowhere")
    for command in (ASK, ["demo", "--model", "scripted"], ["world", "sample"]):
        for out in ("file", "file/here", "link"):
            assert "Cannot write" in g2u(*command, "--out", out, code=2)
    assert {path.name for path in folder.iterdir()} == {"picture.png", "file", "link"}


def test_a_library_of_edits_that_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_EDITS", "nowhere.yaml")
    assert "nowhere.yaml cannot be read" in g2u("edits", code=2)


def test_models_and_edits_are_listed() -> None:
    assert "mini" in [model["key"] for model in json.loads(g2u("models", "--json"))]
    listed = json.loads(g2u("edits", "--json"))
    assert [edit["name"] for edit in listed][-5:] == ["outline", "depth", "normals", "mask", "none"]
    (path,) = (edit for edit in listed if edit["name"] == "trace_path")
    assert path["arguments"]["colour"]["choices"] == ["red", "green", "blue"]
    assert "mini" in g2u("models") and "trace_path" in g2u("edits")


def test_the_help_lists_every_task_split_and_condition() -> None:
    words = set(re.findall(r"[\w-]+", g2u("world", "sample", "--help")))
    assert {*TASKS, *SPLITS, *CONDITIONS} <= words


@pytest.mark.parametrize("width", [20, 60, 120])
def test_edits_are_shown_with_whole_names_and_no_template(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = g2u("edits")
    assert [line.split() for line in shown.splitlines() if line[0] != " "] == [
        [edit.name, edit.family] for edit in EditLibrary.load().every
    ]
    told = " ".join(shown.split())
    assert "instruction: Mark what is asked. <the question>" in told and "to the exit in <colour>." in told
    assert "{" not in told


def test_world_sample_makes_a_picture_and_tells_all_about_it(folder: Path) -> None:
    known = json.loads(g2u("world", "sample", "--task", "maze", "--seed", "5", "--out", "here", "--json"))
    assert list(known) == [
        "picture", "task", "split", "seed", "question", "kind", "options", "answer", "gold_edits", "fault",
    ]  # fmt: skip
    assert (known["task"], known["split"], known["seed"], known["kind"]) == ("maze", "held-out", 5, "exit")
    assert Image.open(known["picture"]).size == (128, 128)
    assert known["answer"] in known["options"] and known["gold_edits"] == ["trace_path"]
    assert f"answer: {known['answer']}" in g2u("world", "sample", "--task", "maze", "--seed", "5", "--out", "here")


def test_doctor_finds_a_store_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("")
    monkeypatch.setenv("G2U_PICTURES", str(folder / "file" / "pictures"))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(result.stdout)}
    assert result.exit_code == 2
    assert checks["python"]["good"] and checks["torch"]["good"] and not checks["picture store"]["good"]


@pytest.mark.parametrize(("name", "good"), [("cpu", True), ("meta", True), ("cuda:99", False), ("gpu", False)])
def test_doctor_looks_at_the_wanted_device(monkeypatch: pytest.MonkeyPatch, name: str, good: bool) -> None:
    monkeypatch.setenv("G2U_DEVICE", name)
    (check,) = device()
    assert check.good is good and name in check.found


def test_doctor_looks_at_each_of_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu, meta")
    assert [check.found.split(",")[0] for check in device()] == ["cpu", "meta"]
    monkeypatch.setenv("G2U_DEVICE", "cpu,cuda:99")
    (check,) = device()
    assert not check.good and "cuda:99" in check.found


def test_doctor_is_content_with_a_whole_installation() -> None:
    assert "missing" not in g2u("doctor")


def test_the_demo_counts_what_was_right(folder: Path) -> None:
    lines = g2u("demo", "--model", "scripted", "--policy", "fixed:deblur").splitlines()
    numbered = [line for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert len(numbered) == len(TASKS) + 1 == 14
    assert lines[-1].startswith(f"Right answers of {len(numbered)}: ")
    page = (folder / "runs" / "demo" / "index.html").read_text("utf-8")
    assert "(direct)" not in page and not any("= direct" in line for line in lines)
    assert {path.name for path in (folder / "runs").iterdir()} == {"demo"}


def test_the_demo_has_json_too() -> None:
    shown = json.loads(g2u("demo", "--model", "scripted", "--json"))
    assert list(shown) == ["items", "page", "summary"]
    faults = [(item["task"], item["fault"]) for item in shown["items"]]
    assert [task for task, _ in faults] == [*TASKS, "shapes"]
    assert {("maze", "untraced"), ("puzzle", "shuffled"), ("shapes", "blur")} < set(faults)
    assert [fault.count("+") for _, fault in faults] == [0] * len(TASKS) + [1] and "none" not in dict(faults).values()
    assert all(item["edit"].startswith("deblur") for item in shown["items"])
    assert all("thought 2" in item["read"] for item in shown["items"])
    for item in shown["items"]:
        trace = read_trace(Path(item["trace"]))
        assert trace.direct and trace.answer and item["truth"] in trace.header.options
        assert (item["direct"], item["imagined"]) == (trace.direct.text, trace.answer.text)
        assert trace.header.gold_edits == sample(item["task"], 0, fault=item["fault"]).gold_edits


def test_the_demo_marks_the_answers_of_refused_thoughts_as_direct(folder: Path) -> None:
    def refuse(text: str, pictures: Pictures, options: Sequence[str]) -> list[float]:
        wanted = "discard" if text.endswith("Verdict:") else options[len(pictures) - 1]
        return [-0.1 if option == wanted else -3.0 for option in options]

    with Engine(lambda: ScriptedModel(score_script=refuse)) as engine:
        register_engine("scripted", engine)
        lines = g2u("demo", "--model", "scripted", "--policy", "fixed:deblur").splitlines()
        asked = g2u(*ASK, "--policy", "fixed:deblur")
    rows = [line for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert len(rows) == 14 and all("discard" in row and "= direct" in row for row in rows)
    assert Path("runs/demo/index.html").read_text("utf-8").count("(direct)") == 14
    assert "the direct answer stands" in asked and "imagined answer" not in asked


STOPPED = """
import sys, threading
from g2u.cli import main
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from tests.scripted import ScriptedModel

def hold(call, done):
    if call.kind == "draw" and done == 3:
        print("drawing", flush=True)
        stopped.wait()

stopped = threading.Event()
model = ScriptedModel(read_script=lambda text, pictures: '{"edit": "deblur"}', between=hold)
register_engine("held", Engine(lambda: model))
sys.argv = ["g2u", "ask", "picture.png", "Which?", "--model", "held", "--steps", "9"]
try:
    main()
finally:
    stopped.set()
"""


def test_ctrl_c_leaves_a_valid_trace(folder: Path) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", STOPPED]
    with interruptible(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "drawing\n"
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=HUNG)
    assert (running.returncode, out, errors) == (130, "", "Stopped.\n")
    (run,) = (path.parent for path in (folder / "runs").glob("*/trace.jsonl"))
    trace = read_trace(run)
    assert (trace.status, trace.answer, trace.damaged) == ("cancelled", None, "")
    assert [record.decision.edit for record in trace.decisions] == ["deblur"]


def test_the_public_face_and_help_load_no_torch() -> None:
    code = "import sys, g2u, g2u.cli; dir(g2u); print({'torch', 'langgraph', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_public_name_is_there() -> None:
    import g2u as public

    assert all(getattr(public, name) is not None for name in public.__all__)
    assert set(public.__all__) == set(dir(public))
    assert callable(public.ask) and callable(public.aask)
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        _ = public.sing


def test_python_users_get_the_same_checks_and_no_trace_unless_wanted(folder: Path) -> None:
    from g2u import G2UError, ask

    run = ask("picture.png", "Which?", options=["red", "blue"], out=None, model="scripted", rounds=1)
    assert (run.answer, run.direct_answer, run.trace) == ("blue", "red", None)
    assert {path.name for path in (folder / "runs").iterdir()} == {"pictures"}
    with pytest.raises(G2UError, match="Did you mean policy"):
        ask("picture.png", "Which?", polcy="self")
