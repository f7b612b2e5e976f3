"""BAGEL from the command line: it answers, and whatever is wrong is one sentence."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from g2u.cli import app
from g2u.engine.registry import get_engine
from g2u.models.bagel.checkpoint.files import INDEX, MODEL
from g2u.models.bagel.inference.sampler import SETTINGS
from g2u.models.bagel.load import EXECUTIONS
from g2u.models.bagel.memory import PREFIX_BYTES, kept_bytes, run_bytes, weight_bytes
from g2u.models.bagel.needs import check_memory
from g2u.models.bagel.network.config import BagelConfig, read_config
from g2u.models.machine import Gpu
from g2u.traces.trace import read_trace

ALL = ["llm_config.json", "vit_config.json", MODEL, "ae.safetensors"]
ALL += ["vocab.json", "merges.txt", "tokenizer_config.json"]
LATENT_TABLE = "latent_pos_embed.pos_embed"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, golden: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with one picture and a copy of the weights, whose files may be changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    monkeypatch.delenv("G2U_PICTURES", raising=False)
    shutil.copytree(golden, "weights")
    shutil.copy(golden / "b.png", "picture.png")
    yield tmp_path
    get_engine("bagel", "weights").close()


def g2u(*arguments: str, code: int = 0) -> str:
    """Run a command in this process; what it printed, standard error alone when it fails with 2."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result.stderr if code == 2 else result.stdout


ASK = ("ask", "picture.png", "Which?", "--model", "bagel", "--weights", "weights")


def test_ask(here: Path) -> None:
    asked = (*ASK, "--option", "red", "--option", "blue", "--steps", "2", "--policy", "score", "--rounds", "1")
    run = json.loads(g2u(*asked, "--fusion", "continued", "--json"))
    assert run["answer"] in ("red", "blue") and run["model"] == "bagel"
    header = read_trace(Path(run["trace"])).header
    assert header.model.settings == ("bfloat16", "plain")
    assert (header.sampler.steps, header.sampler.preset) == (2, "paper")
    assert header.sampler.values.keys() == SETTINGS.keys()
    assert any(name.startswith("bagel/") for name in header.prompts)


def test_a_small_study() -> None:
    evaluation = ("world", "eval", "--model", "bagel", "--weights", "weights", "--items", "3", "--steps", "2")
    found = json.loads(g2u(*evaluation, "--arms", "direct,self", "--json"))
    assert set(found["summary"]) == {"direct", "self", "clean"}


def rewrite(meta: str, value: object) -> None:
    file = Path("weights/meta.json")
    content = json.loads(file.read_text("utf-8"))
    *path, last = meta.split(".")
    inner = content
    for name in path:
        inner = inner[name]
    inner[last] = value
    file.write_text(json.dumps(content), "utf-8")


def cut_off() -> None:
    content = Path("weights", MODEL).read_bytes()
    Path("weights", MODEL).write_bytes(content[:-1000])


def retype() -> None:
    state = load_file(Path("weights", MODEL))
    save_file({name: tensor.double() for name, tensor in state.items()}, Path("weights", MODEL))


def another_table() -> None:
    state = load_file(Path("weights", MODEL))
    save_file(state | {LATENT_TABLE: torch.zeros(32**2, 128)}, Path("weights", MODEL))


def nothing_in_it() -> None:
    shutil.rmtree("weights")
    Path("weights").mkdir()


BAD: dict[str, tuple[Callable[[], object], tuple[str, ...], str]] = {
    # name of the case: what is changed, further arguments, what the one line says
    "no folder": (lambda: shutil.rmtree("weights"), (), "weights' does not exist. Name the folder"),
    "not a BAGEL": (nothing_in_it, (), f"is not a whole folder of BAGEL: it has no {', '.join(ALL)}."),
    "no tokenizer": (lambda: Path("weights/merges.txt").unlink(), (), "it has no merges.txt"),
    "a truncated file": (cut_off, (), f"{MODEL} is truncated"),
    "another dtype": (retype, (), "is F64, not BF16, F16 or F32"),
    "a latent size too small": (lambda: rewrite("max_latent_size", 4), (), "max_latent_size is 4"),
    "a table of another size": (another_table, (), "trained with max_latent_size 32, this configuration has 64"),
    "too long a text": (lambda: rewrite("llm.max_position_embeddings", 9), (), "positions; the model has 9"),
    "too narrow a picture": (lambda: Image.new("RGB", (900, 9)).save("picture.png"), (), "of 900x9 is too narrow"),
    "no such preset": (lambda: None, ("--preset", "papr"), "Did you mean paper"),
    "no such device": (lambda: None, (), "has no device 'cuda:99'"),
}


@pytest.mark.parametrize(("change", "further", "says"), BAD.values(), ids=BAD)
def test_bad_input_gets_one_sentence(
    change: Callable[[], object], further: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change()
    if "device" in says:
        monkeypatch.setenv("G2U_DEVICE", "cuda:99")
    (line,) = g2u(*ASK, *further, code=2).splitlines()
    assert line.startswith("Error: ") and says in line


@pytest.mark.parametrize(
    ("further", "says"),
    [
        (("--preset", "paper"), "has no presets"),
        (("--fusion", "continued"), "takes no text between pictures"),
        (("--think",), "cannot think"),
    ],
)
def test_mini_refuses_what_only_bagel_can(further: tuple[str, ...], says: str, here: Path) -> None:
    (line,) = g2u("ask", "picture.png", "Which?", *further, code=2).splitlines()
    assert line.startswith("Error: ") and says in line
    assert not (here / "runs").exists()


def doctor(code: int, *arguments: str) -> dict[str, tuple[bool, str]]:
    found = json.loads(g2u("doctor", "--model", "bagel", *arguments, "--json", code=code))
    return {check["name"]: (check["good"], check["found"]) for check in found}


def test_doctor_of_a_whole_folder() -> None:
    found = doctor(0, "--weights", "weights")
    assert all(good for good, _ in found.values())
    assert found[MODEL][1] == f"{Path('weights', MODEL).stat().st_size:,} bytes"
    assert {"weights", "tokenizer", "memory for weights", "memory for one run", "device"} <= set(found)
    assert "no GPU" in found["device"][1]
    assert "weights" in g2u("doctor", "--model", "bagel", "--weights", "weights")


DOWNLOADS = {
    "bagel": ("ema.safetensors", "tokenizer.json", "config.json", "generation_config.json"),
    "sensenova-vision": ("ema.safetensors", "tokenizer.json", "config.json", "generation_config.json"),
    "thinkmorph": ("model.safetensors", "config.json", "tokenizer.json"),
    "bagel under the name of Zebra-CoT": ("model_bf16.safetensors", "config.json"),
    "thinkmorph in shards": ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
}
"""What downloads hold beside what all of them hold: the model, and files that are not read."""


def downloaded(holds: tuple[str, ...]) -> None:
    """Make `weights` look like a download."""
    state = load_file(Path("weights", MODEL))
    Path("weights", MODEL).unlink()
    models = [name for name in holds if name.endswith(".safetensors")]
    shards = {name: sorted(state)[index :: len(models)] for index, name in enumerate(models)}
    for name, keys in shards.items():
        save_file({key: state[key] for key in keys}, Path("weights", name))
    if len(models) > 1:
        index = {"weight_map": {key: name for name, keys in shards.items() for key in keys}}
        Path("weights", f"model.safetensors{INDEX}").write_text(json.dumps(index), "utf-8")
    for name in set(holds) - set(models):
        Path("weights", name).write_text("{}", "utf-8")


@pytest.mark.parametrize("name", DOWNLOADS)
def test_doctor_knows_what_a_download_holds_and_never_advises_it_again(name: str) -> None:
    key = name.split()[0]
    downloaded(DOWNLOADS[name])
    found = json.loads(g2u("doctor", "--model", key, "--weights", "weights", "--json"))
    assert all(check["good"] for check in found)
    assert "hf download" not in json.dumps(found)
    # Where files of it got lost, these alone are to be downloaded.
    for lost in ("merges.txt", "ae.safetensors"):
        Path("weights", lost).unlink()
    told = g2u("doctor", "--model", key, "--weights", "weights", "--json", code=1)
    assert "hf download ByteDance-Seed/BAGEL-7B-MoT ae.safetensors merges.txt --local-dir weights" in told


def test_doctor_asks_which_file_is_the_model() -> None:
    Path("weights", MODEL).rename("weights/tuned.safetensors")
    told = doctor(1, "--weights", "weights")["files"][1]
    assert "It has golden_bf16.safetensors, golden_fp32.safetensors, tuned.safetensors: name the one that" in told
    assert "hf download" not in told
    assert doctor(0, "--weights", "weights/tuned.safetensors")["weights"][0]


def test_doctor_says_what_is_missing() -> None:
    assert "hf download ByteDance-Seed/BAGEL-7B-MoT" in doctor(1)["weights"][1]
    Path("weights/vocab.json").unlink()
    found = doctor(1, "--weights", "weights")
    assert found["weights"][0] and not found["tokenizer"][0] and "device" in found
    assert found["files"][1] == (
        "weights has no vocab.json. Download what is missing with "
        "`hf download ByteDance-Seed/BAGEL-7B-MoT vocab.json --local-dir weights`."
    )
    cut_off()
    good, said = doctor(1, "--weights", "weights")["weights"]
    assert not good and "truncated" in said
    good, said = doctor(1, "--weights", "nowhere")["weights"]
    assert not good and said.startswith("The folder of weights 'nowhere' does not exist. Name the folder")
    good, said = doctor(1, "--weights", "picture.png")["weights"]
    assert not good and "is a file, and none of weights (*.safetensors, *.safetensors.index.json)" in said
    nothing_in_it()
    good, said = doctor(1, "--weights", "weights")["files"]
    assert not good and said.startswith(f"weights has no {', '.join(ALL)}. Download all of it with `hf download")
    assert "Add `--model MODEL`" in g2u("doctor", "--weights", "weights", code=2)


@pytest.fixture
def official(tmp_path: Path) -> BagelConfig:
    """The official sizes."""
    llm = {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    }
    vit = {
        "hidden_size": 1152,
        "image_size": 980,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "patch_size": 14,
    }
    (tmp_path / "llm_config.json").write_text(json.dumps(llm), "utf-8")
    (tmp_path / "vit_config.json").write_text(json.dumps(vit), "utf-8")
    return read_config(tmp_path)


def test_memory_of_the_official_sizes(official: BagelConfig) -> None:
    weights = {name: weight_bytes(official, name) / 2**30 for name in EXECUTIONS}
    run = {name: run_bytes(official, name) / 2**30 for name in EXECUTIONS}
    assert weights["plain"] == weights["fast"] == pytest.approx(27.5, abs=0.1)
    assert weights["float8"] == pytest.approx(21.4, abs=0.1)
    assert weights["fast"] + run["fast"] == pytest.approx(35.79, rel=0.01)  # the peak that was measured
    assert run["plain"] < run["fast"] == run["float8"]


@pytest.mark.parametrize(("free", "kept"), [(140, 8.0), (40, 4.3), (30, 0.0)])
def test_contexts_are_kept_in_what_is_free(free: int, kept: float, official: BagelConfig) -> None:
    left = free * 2**30 - weight_bytes(official, "fast")
    assert kept_bytes(run_bytes(official, "fast"), left) / 2**30 == pytest.approx(kept, abs=0.1)


def test_every_gpu_is_looked_at(official: BagelConfig) -> None:
    gpus = [Gpu("cuda:0", "Large", 40 * 2**30, 48 * 2**30), Gpu("cuda:1", "Small", 30 * 2**30, 32 * 2**30)]
    found = {check.name: (check.good, check.found) for check in check_memory(official, "fast", gpus)}
    assert found["device cuda:0"] == (True, "Large: 40.0 GiB of 48.0 GiB free")
    good, said = found["device cuda:1"]
    assert not good and said.startswith("Small: 30.0 GiB of 32.0 GiB free, 35.7 GiB needed")
    assert "4.3 GiB beside all that, of 8.0 GiB" in found["memory for kept contexts"][1]
    # In eight bits the small one suffices, after it has held the exact weights.
    rounded = {check.name: (check.good, check.found) for check in check_memory(official, "float8", gpus)}
    assert rounded["device cuda:1"][0] and "27.5 GiB while they are loaded, 21.4" in rounded["memory for weights"][1]
    assert kept_bytes(0, PREFIX_BYTES + 1) == PREFIX_BYTES


def test_doctor_asks_what_loading_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(g2u("doctor", "--model", "bagel-float8", "--weights", "weights", "--json", code=1))
    assert "need a GPU" in next(check["found"] for check in found if check["name"] == "device" and not check["good"])
    monkeypatch.setenv("G2U_DEVICE", "cpu,cpu")
    assert "not the same twice" in doctor(1, "--weights", "weights")["device"][1]
