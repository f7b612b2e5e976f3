"""`g2u world report` of files that are no evaluation: one sentence, never a stack trace."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from g2u.cli import app

KEEP = "Keep one with `g2u world eval --json > FILE`, and name that file."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, f"There is no file 'it.json'; an evaluation was expected. {KEEP}"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", f"'it.json' is no text, and an evaluation is one. {KEEP}"),
        (b"", f"'it.json' is not JSON, and an evaluation is: Expecting value. {KEEP}"),
        (b"[" * 200_000, f"'it.json' is not JSON, and an evaluation is: it is nested too deeply. {KEEP}"),
        (b"[1, 2]", f"'it.json' is JSON, but no evaluation. {KEEP}"),
        (b'{"summary": []}', "it.json is an evaluation of another version: KeyError('tasks')."),
    ],
    ids=["missing", "binary", "empty", "deep", "other", "of another version"],
)
def test_what_is_no_evaluation_gets_one_sentence(
    content: bytes | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("it.json").write_bytes(content)
    result = CliRunner().invoke(app, ["world", "report", "it.json"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {says}")


def test_a_folder_is_no_evaluation(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["world", "report", str(tmp_path)])
    assert result.exit_code == 2 and "cannot be read: Is a directory." in result.stderr
