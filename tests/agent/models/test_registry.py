"""Models from elsewhere: by a place, an entry point or a registered key; and what is refused."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import g2u
from g2u.engine.registry import get_engine
from g2u.errors import CapabilityError, ExtensionError, ProtocolError, SettingError, UnknownNameError
from g2u.models import registry
from g2u.models.protocol import Sampler, complete_sampler
from g2u.models.registry import load_model
from g2u.models.settings import Setting
from tests.agent.conformance.honest import Honest
from tests.scripted import ScriptedModel

ROOT = Path(__file__).parents[3]
BROKEN = {
    "def load(): ...": (ExtensionError, "cannot be called as load(weights=FOLDER)"),
    "def load(weights): return None": (ProtocolError, "a model has the attribute `key`, but NoneType has none"),
    "def load(weights): return model(capabilities={})": (
        ProtocolError,
        "`capabilities` is of type Capabilities, but {}",
    ),
    "def load(weights): return model(read=None)": (ProtocolError, "a model has the method `read`, but"),
    "def load(weights): return model(draw=lambda prefixes: [])": (
        ProtocolError,
        "declares `edits` takes 6 arguments, but it is draw(prefixes)",
    ),
    "def load(weights): return model(score=3)": (ProtocolError, "that declares `scores` has the method `score`"),
    "def load(weights): return model(identity=Identity(model='x', weights='abc', code='1'))": (
        ProtocolError,
        "`identity.weights` is a SHA-256",
    ),
}
MAKE = """
from g2u.models.protocol import Identity
from tests.agent.conformance.honest import Honest
def model(**changes):
    made = Honest()
    for name, value in changes.items():
        setattr(made, name, value)
    return made
"""


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = dict(registry._REGISTERED)
    yield
    registry._REGISTERED.clear()
    registry._REGISTERED.update(before)


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_model_is_refused_with_the_rule_and_what_came(text: str, tmp_path: Path) -> None:
    error, told = BROKEN[text]
    (tmp_path / "own.py").write_text(f"{MAKE}\n{text}\n")
    with pytest.raises(error) as refused:
        load_model(f"{tmp_path}/own.py:load")
    assert told in str(refused.value)


def test_a_key_of_this_process_stands_for_a_model_and_the_next_one_takes_its_place() -> None:
    g2u.register_model("mine", lambda weights="": Honest(), "Mine, for once")
    first = get_engine("mine")
    assert first.model.key == "honest"
    assert registry.models()["mine"].title == "Mine, for once"
    g2u.register_model("mine", lambda weights="": ScriptedModel(key=weights or "none"))
    assert first.closed
    second = get_engine("mine", "")
    assert second.model.key == "none"
    second.close()


@pytest.mark.parametrize("key", ["mini", "", "package.module:load"])
def test_a_key_that_is_taken_is_refused(key: str) -> None:
    with pytest.raises(SettingError, match="cannot be called"):
        g2u.register_model(key, lambda weights="": Honest())


def test_an_unknown_key_is_told_the_nearest_and_how_to_name_your_own() -> None:
    with pytest.raises(UnknownNameError, match=r"no model called 'minni'\. Did you mean mini\?"):
        load_model("minni")


def test_one_place_has_one_engine_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    engine = get_engine("examples/own_model.py:load")
    assert get_engine(f"{ROOT}/examples/../examples/own_model.py:load") is engine
    assert engine.model.key == "halves"
    engine.close()


def test_installed_packages_bring_models_policies_and_writers(tmp_path: Path) -> None:
    """A package as pip leaves it: its modules, and metadata with entry points."""
    for file in ("own_model.py", "own_policy.py"):
        shutil.copy(ROOT / "examples" / file, tmp_path / f"brought_{file}")
    metadata = tmp_path / "brought-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[g2u.models]\nhalves = brought_own_model:load\n"
        "[g2u.policies]\nby-brightness = brought_own_policy:by_brightness\n"
        "[g2u.writers]\nraiser = brought_own_policy:writer\n"
    )
    code = """
import g2u
from PIL import Image
picture = g2u.ImageStore("pictures").add_image(Image.new("RGB", (8, 8), (20, 20, 20)))
for policy in ("by-brightness", "writer:raiser"):
    run = g2u.ask(picture, "Which is darker?", model="halves", policy=policy, out=None, rounds=1, store="pictures")
    print(run.answer, run.rounds[0].decision.instruction)
from g2u.models.registry import models
print(models()["halves"].title)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        ["right Correct the exposure.", "right Raise the contrast.", "Of an installed package: brought_own_model:load"],
    )


SETTINGS = {
    "cfg_text": Setting(default=4.0, least=0.0, most=20.0),
    "every": Setting(default=1, least=1),
    "renorm": Setting(default="global", choices=("global", "channel")),
    "flip": Setting(default=False),
}


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("4", "cfg_text", 4.0),
        (4, "cfg_text", 4.0),
        ("3", "every", 3),
        (3.0, "every", 3),
        ("channel", "renorm", "channel"),
        ("true", "flip", True),
        ("off", "flip", False),
    ],
)
def test_a_setting_has_the_type_that_the_model_declares(given: Any, name: str, value: Any) -> None:
    able = replace(Honest.capabilities, presets={"": 2}, settings=SETTINGS, preset_values={"": {"cfg_text": 2.0}})
    plain = complete_sampler(able, Sampler(), "mine")
    assert plain.values == {"cfg_text": 2.0, "every": 1, "renorm": "global", "flip": False}
    found = complete_sampler(able, Sampler(values={name: given}), "mine").values
    assert found == {**plain.values, name: value} and type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"cfg": 4}, UnknownNameError, "Did you mean cfg_text?"),
        ({"cfg_text": "much"}, SettingError, "cannot be 'much': expected a number, at least 0, at most 20."),
        ({"cfg_text": 21}, SettingError, "at most 20"),
        ({"cfg_text": "nan"}, SettingError, "a number"),
        ({"cfg_text": True}, SettingError, "a number"),
        ({"every": 1.5}, SettingError, "a whole number, at least 1"),
        ({"every": float("inf")}, SettingError, "a whole number"),
        ({"renorm": "text"}, SettingError, "one of global, channel"),
        ({"flip": "maybe"}, SettingError, "true or false"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(given: Any, error: type[Exception], told: str) -> None:
    able = replace(Honest.capabilities, presets={"": 2}, settings=SETTINGS, preset_values={})
    with pytest.raises(error) as refused:
        complete_sampler(able, Sampler(values=given), "mine")
    assert told in str(refused.value)


def test_a_model_without_settings_says_so() -> None:
    able = replace(Honest.capabilities, settings={}, preset_values={})
    with pytest.raises(SettingError, match="no settings of its own"):
        complete_sampler(able, Sampler(values={"cfg_text": 4}), "mine")
    with pytest.raises(CapabilityError, match="no presets"):
        complete_sampler(replace(able, presets={"": 1}), Sampler(preset="fine"), "mine")
