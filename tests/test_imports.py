"""The house: rooms in one order, which imports follow downwards, and which one sees at once where they leave a room."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = [
    {"prompts"},
    {"agent.errors", "agent.version"},
    {"agent.files"},
    {"agent.extensions"},
    {"agent.pictures"},
    {"agent.edits"},
    {"agent.scoring"},
    {"agent.models"},
    {"agent.models.worker"},
    {"agent.models.bagel.sources"},
    {"agent.models.bagel.network"},
    {"agent.models.bagel.inference"},
    {"agent.models.bagel.checkpoint"},
    {"agent.models.bagel.fast"},
    {"agent.models.bagel.golden"},
    {"agent.models.blip3o.sources"},
    {"agent.models.blip3o.network"},
    {"agent.models.blip3o.inference"},
    {"agent.models.blip3o.checkpoint"},
    {"agent.models.blip3o.golden"},
    {
        "agent.models.bagel",
        "agent.models.blip3o",
        "agent.models.janus",
        "agent.models.mini",
        "agent.models.pair",
        "agent.models.remote",
    },
    {"agent.engine"},
    {"agent.conformance"},
    {"agent.state"},
    {"agent.loop.deciding"},
    {"agent.loop"},
    {"graphs"},
    {"agent.traces"},
    {"agent.asking", "agent.turns"},
    {"world"},
    {"world.materials"},
    {"world.questions"},
    {"world.pictures"},
    {"world.items"},
    {"world.judging"},
    {"world.training"},
    {"world.sheets"},
    {"study.statistics"},
    {"study.benchmarks"},
    {"study.benchmarks.predictions"},
    {"study.benchmarks.kits"},
    {"study.benchmarks.check_golden"},
    {"study.grid"},
    {"study.running"},
    {"study.tables"},
    {"study.report", "study.claims", "study"},
    {"study.benchmarks.exchange"},
    {"study.benchmarks.subjects"},
    {"agent.plugins"},
    {"agent.plugins.mcp"},
    {"agent.serving"},
    {"agent.webpage"},
    {"agent.serving.app"},
    {"agent.cli"},
    {"agent"},
]
"""Rooms from the ground up, as folders and files with dots. A room holds what lies in it, but for what has a line of
its own: `agent` is the public face alone. An import goes down or stays in its room; rooms on one floor know nothing of
each other."""

EXCEPTIONS = {
    ("agent/plugins/mcp/__main__.py", "agent.cli.mcp"): "`python -m g2u.plugins.mcp` is the command `g2u mcp`",
}
"""Imports that run up, as file and what it imports, each with its reason."""

FOLDERS = ("agent", "graphs", "prompts", "study", "world")
MOST_FILES = {"agent": 8, "study": 6, "world": 6}
"""Python files directly in a folder; in all others 20, of every kind."""


def sources() -> list[Path]:
    """Every Python file of the package."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    """A file as a name with dots, from the root folder on; a folder for its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in sources()}


def in_repository(module: str) -> str:
    """What an import name is in the repository: `g2u.study.grid` is `study.grid`, `g2u.engine` is `agent.engine`."""
    _, _, rest = module.partition(".")
    return rest if rest.split(".")[0] in FOLDERS else f"agent.{rest}".rstrip(".")


def imports(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, file or folder that is imported, and whether relatively; lazy imports and those for types, too."""
    own = name_of(path).split(".")
    package = own if path.name == "__init__.py" else own[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, in_repository(alias.name), False) for alias in node.names if is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and (node.level or is_ours(node.module or "")):
            near = ".".join(package[: len(package) + 1 - node.level])
            base = f"{near}.{node.module or ''}".rstrip(".") if node.level else in_repository(node.module or "")
            for alias in node.names:
                inside = base if base in FOLDERS and f"{base}.{alias.name}" not in NAMES else f"{base}.{alias.name}"
                inside = alias.name if base == "agent" and alias.name in FOLDERS else inside
                yield node.lineno, inside if inside in NAMES else base, bool(node.level)


def is_ours(module: str) -> bool:
    """Whether a module is of this package."""
    return module == "g2u" or module.startswith("g2u.")


def room_of(name: str) -> tuple[int, str]:
    """Floor and room of a file or folder: the longest name of a room that it lies in."""
    rooms = [(len(room), floor, room) for floor, row in enumerate(FLOORS) for room in row if is_in(name, room)]
    assert rooms, f"{name} lies in no room; give it one in FLOORS"
    return max(rooms)[1:]


def is_in(name: str, room: str) -> bool:
    """Whether a file or folder lies in a room."""
    return name == room or name.startswith(f"{room}.")


def test_imports_run_down() -> None:
    found = {}
    for path in sources():
        file, (floor, room) = path.relative_to(ROOT).as_posix(), room_of(name_of(path))
        for line, other, _ in imports(path):
            below, beside = room_of(other)
            if not (below < floor or beside == room):
                found[file, other] = f"{file}:{line} ({room}) imports {other} ({beside}), which is not below it"
    assert [told for key, told in found.items() if key not in EXCEPTIONS] == []
    assert set(EXCEPTIONS) <= set(found), "an exception that no file needs any more"


def test_imports_show_the_border() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}: inside a root folder relative, between root folders absolute"
        for path in sources()
        for line, other, relative in imports(path)
        if relative != (name_of(path).split(".")[0] == other.split(".")[0])
    ]
    assert wrong == []


def test_every_room_says_what_lives_in_it() -> None:
    folders = {path.parent for path in sources()}
    silent = [folder.relative_to(ROOT) for folder in folders if not (folder / "__init__.py").exists()]
    silent += [
        path.parent.relative_to(ROOT)
        for path in sources()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("root", [*FOLDERS, "tests"])
def test_no_folder_is_crowded(root: str) -> None:
    folders = {path.parent for path in (ROOT / root).rglob("*.py")}
    assert folders
    for folder in folders:
        name = folder.relative_to(ROOT).as_posix()
        files = [path for path in folder.iterdir() if path.is_file()]
        assert len(files) <= 20, f"{name} has {len(files)} files"
        if name in MOST_FILES:
            python = [path for path in files if path.suffix == ".py"]
            assert len(python) <= MOST_FILES[name], f"{name} has {len(python)} Python files"


def test_no_files_import_each_other_in_a_circle() -> None:
    arrows = {name_of(path): {other for _, other, _ in imports(path)} for path in sources()}
    try:
        list(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
