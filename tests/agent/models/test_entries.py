"""The rows of `g2u models`: whole, in a narrow terminal, and true of the machine and of the models."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import g2u
from g2u.cli import app
from g2u.models import registry
from g2u.models.entries import ABILITIES, ENTRIES, ModelEntry, cached
from g2u.models.registry import load_model
from tests.agent.models.tables import declared

REPOSITORY = "somebody/something"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def downloaded(cache: Path, repository: str) -> Path:
    """The folder that `hf download` would have left."""
    home = cache / f"models--{repository.replace('/', '--')}"
    (home / "snapshots" / "c0ffee").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("c0ffee")
    return home / "snapshots" / "c0ffee"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_a_model_that_comes_with_g2u_says_all_of_itself(entry: ModelEntry) -> None:
    assert entry.does and entry.licence and entry.memory and entry.compared
    assert bool(entry.repositories) != bool(entry.source), "where it comes from is said once"
    assert [name for name in ABILITIES if name in entry.does] == list(entry.does)


def test_what_mini_is_said_to_do_is_what_it_declares() -> None:
    able = load_model("mini").capabilities
    row = next(entry for entry in ENTRIES if entry.key == "mini")
    assert row.does == tuple(name for name, is_one in ABILITIES.items() if is_one(able))


@pytest.mark.parametrize("key", ["remote", "pair"])
def test_what_other_models_are_said_to_do_is_what_they_declare(key: str) -> None:
    able = declared()[f"`{key}`"]
    row = next(entry for entry in ENTRIES if entry.key == key)
    assert row.does == tuple(name for name, is_one in ABILITIES.items() if is_one(able))


def test_the_table_fits_80_columns_and_json_has_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(registry, "_REGISTERED", {})
    g2u.register_model("elsewhere", lambda weights="": None, "Of [this] process")
    shown = CliRunner().invoke(app, ["models"]).stdout
    rows = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert max(map(len, shown.splitlines())) <= 80
    assert {entry.key for entry in ENTRIES} < {row["key"] for row in rows}
    for row in rows:
        assert row.keys() == {"key", "title", "does", "licence", "memory", "source", "installed", "compared"}
        assert row["key"] in shown and row["title"].split()[-1] in shown
    assert "Of [this] process" in shown


def test_what_is_installed_is_looked_up_in_the_cache_of_the_hub(cache: Path) -> None:
    entry = ModelEntry(key="x", title="", loader="", repositories=(REPOSITORY,))
    assert f"`hf download {REPOSITORY}`" in entry.installed and cached(REPOSITORY) is None
    folder = downloaded(cache, REPOSITORY)
    assert entry.installed == "yes" and cached(REPOSITORY) == folder


def test_a_package_that_is_missing_is_named() -> None:
    entry = ModelEntry(key="x", title="", loader="", modules=("torch", "nosuchpackage"))
    assert entry.installed == "no: the packages it needs are missing: nosuchpackage"
