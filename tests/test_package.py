"""The wheel: all of `g2u`, nothing else, and no quarrel with a host that has its own `agent` and `graphs`."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = PYPROJECT["tool"]["setuptools"]["package-dir"]
SHIPPED = {".py", ".typed", ".j2", ".yaml", ".json", ".safetensors", ".webp", ".md", ".css", ".js"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a folder of links: nothing is left in the repository, nothing old gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ["pyproject.toml", "README.md", "LICENSE", "NOTICE", *ROOMS.values()]:
        (source / name).symlink_to(ROOT / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and its command."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


def run(command: list[str], *packages: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds `packages` before those of this environment, G2U's editable install included."""
    environment = {"PYTHONPATH": ":".join(map(str, packages)), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_wheel_holds_g2u_alone_and_all_of_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {"g2u", f"g2u-{PYPROJECT['project']['version']}.dist-info"}
    shipped = {
        f"{package.replace('.', '/')}/{path.relative_to(ROOT / room).as_posix()}"
        for package, room in ROOMS.items()
        for path in (ROOT / room).rglob("*")
        if path.suffix in SHIPPED
    }
    assert {"g2u/__init__.py", "g2u/py.typed", "g2u/prompts/edits.yaml", "g2u/prompts/mini/decide.j2"} <= shipped
    assert shipped - names == set()


def test_wheel_and_host_keep_their_names(installed: Path, tmp_path: Path) -> None:
    host = tmp_path / "host"
    for name in ("agent", "graphs"):
        (host / name).mkdir(parents=True)
        (host / name / "__init__.py").touch()
    code = "import agent, graphs, g2u, g2u.graphs as ours; print(*(m.__file__ for m in (agent, graphs, g2u, ours)))"
    done = run([sys.executable, "-c", code], installed, host, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folders = [host / "agent", host / "graphs", installed / "g2u", installed / "g2u" / "graphs"]
    assert done.stdout.split() == [str(folder / "__init__.py") for folder in folders]


@pytest.mark.parametrize("name", sorted(ROOMS.values()))
def test_wheel_takes_no_name_from_its_host(installed: Path, tmp_path: Path, name: str) -> None:
    done = run([sys.executable, "-c", f"import {name}"], installed, cwd=tmp_path)
    assert f"ModuleNotFoundError: No module named '{name}'" in done.stderr


def test_wheel_brings_its_command(installed: Path, tmp_path: Path) -> None:
    done = run([str(installed / "bin" / "g2u"), "--help"], installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
