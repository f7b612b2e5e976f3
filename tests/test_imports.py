"""Imports point one way: `study` and what runs in `world` -> `graphs` -> `agent` -> `prompts`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ABOVE = ("agent/__init__.py", "agent/asking.py", "agent/cli/", "agent/plugins/", "agent/webpage/gallery.py")
"""What of `agent` uses the rooms above it: the public face, the command line, what runs the loop for other programs,
and the pictures to begin with."""

RULES = [
    # files, except, must not import
    ("prompts/**/*.py", (), ("g2u",)),
    (
        "agent/models/**/*.py",
        (),
        ("g2u.cli", "g2u.graphs", "g2u.loop.nodes", "g2u.loop.rounds", "g2u.study", "g2u.world"),
    ),
    ("agent/**/*.py", ABOVE, ("g2u.graphs", "g2u.study", "g2u.world")),
    ("agent/plugins/**/*.py", ("agent/plugins/mcp/__main__.py",), ("g2u.cli", "g2u.study", "g2u.world")),
    ("graphs/**/*.py", (), ("g2u.cli", "g2u.asking", "g2u.study", "g2u.world")),
    ("world/**/*.py", (), ("g2u.cli", "g2u.graphs", "g2u.asking", "g2u.study")),
    ("study/**/*.py", (), ("g2u.cli",)),
]


def imported(path: Path) -> set[str]:
    """Names that a file imports anywhere in it: `from a import b` counts as `a` and `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}:{node.lineno}: relative import; write g2u.…"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize(("files", "excepted", "forbidden"), RULES, ids=[files for files, *_ in RULES])
def test_imports_point_one_way(files: str, excepted: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    paths = {path.relative_to(ROOT).as_posix(): path for path in ROOT.glob(files)}
    assert paths, f"no file matches {files}; the rule would hold for nothing"
    wrong = [
        f"{name} imports {module}"
        for name, path in sorted(paths.items())
        if not name.startswith(excepted)
        for module in sorted(imported(path))
        if any(module == other or module.startswith(f"{other}.") for other in forbidden)
    ]
    assert not wrong
