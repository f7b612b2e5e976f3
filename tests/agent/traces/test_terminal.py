"""Runs in the terminal: text everywhere, pictures where there is a terminal to draw on."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from g2u.traces.terminal import show_trace
from tests.runs import write_run

SHOW = (
    "import pathlib, sys\n"
    "from rich.console import Console\n"
    "from g2u.pictures.store import ImageStore\n"
    "from g2u.traces.terminal import show_trace\n"
    "from g2u.traces.trace import read_trace\n"
    "trace = read_trace(pathlib.Path(sys.argv[1]))\n"
    "show_trace(trace, ImageStore(trace.folder.parent / 'pictures'), Console())\n"
)


def in_terminal(folder: Path, rows: int, columns: int) -> str:
    """What a terminal of that size receives."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (rows, columns))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-c", SHOW, str(folder)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        received = b""
        while True:
            try:
                received += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0, received.decode()
    return received.decode()


def test_without_a_terminal_there_is_text(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    output = io.StringIO()
    show_trace(trace, store, Console(file=output, width=100))
    text = output.getvalue()
    for expected in ("What colour is the disc?", "trace_path", "Remove the blur.", "retry", "90.0%", "red", "blue"):
        assert expected in text
    assert "generate 2 0.400" in text
    assert trace.header.run in text
    assert "\x1b" not in text


def test_what_the_model_does_not_know_is_told(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    top = trace.header.model_copy(update={"out_of_vocabulary": ["[bold]", "disc"]})
    output = io.StringIO()
    show_trace(replace(trace, header=top, out_of_domain=1.0), store, Console(file=output, width=200))
    assert "small does not know the words [bold], disc; it answers from the rest." in output.getvalue()
    assert "This picture lies outside of what small was trained on" in output.getvalue()


@pytest.mark.parametrize("upto", range(5))
def test_a_run_that_was_stopped_is_shown(tmp_path: Path, upto: int) -> None:
    trace, store = write_run(tmp_path, question="[bold]Is this [/markup]?", upto=upto)
    output = io.StringIO()
    show_trace(trace, store, Console(file=output, width=200))
    text = output.getvalue()
    assert "[bold]Is this [/markup]?" in text
    assert "unfinished" in text


def test_pictures_are_drawn_in_a_terminal(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    screen = in_terminal(trace.folder, 40, 100)
    assert "▀" in screen
    assert "38;2;255;0;0" in screen  # the red of the original
    assert "38;2;0;0;255" in screen  # the blue of the last thought


def test_a_terminal_without_a_size_gets_text(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    screen = in_terminal(trace.folder, 0, 0)
    assert "▀" not in screen
    assert "Remove the blur." in screen
