"""Processes to be killed: forks of one that has imported everything, so that each begins at once.

They are forked from a process of its own, with one thread: a fork of pytest would have locks of threads that it lacks.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]


class Forks:
    """Starts a function again and again, each time in a process of its own; a context manager.

    Args:
        function: `package.module:function`, called with the arguments of `start`.
        settings: Of the environment, beside those of this process.
        also: Modules to import before, which the function imports late.
    """

    def __init__(self, function: str, settings: Mapping[str, str] | None = None, also: tuple[str, ...] = ()) -> None:
        paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONPATH": paths} | dict(settings or {})
        command = [sys.executable, "-m", "tests.forks", function, *also]
        self._parent = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, *arguments: str) -> int:
        """Begin; the process id."""
        return self._told({"start": arguments})

    def end_of(self, process: int) -> int:
        """Wait for the end of a process; its exit code, or minus the signal that ended it."""
        return self._told({"wait": process})

    def has_ended(self, process: int) -> bool:
        """Whether a process is over; `end_of` can be asked still."""
        return bool(self._told({"look": process}))

    def run(self, *arguments: str) -> int:
        """Begin and wait."""
        return self.end_of(self.start(*arguments))

    def _told(self, request: dict[str, object]) -> int:
        assert self._parent.stdin and self._parent.stdout, "both are pipes"
        self._parent.stdin.write(json.dumps(request) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._parent:
            self._parent.kill()


def serve(function: str, *also: str) -> None:
    """Read requests from standard input, a line each, and answer with a number."""
    for name in also:
        importlib.import_module(name)
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif "look" in request:
            answer = int(os.waitid(os.P_PID, request["look"], os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
        elif not (answer := os.fork()):
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            code = 1
            try:
                call(*request["start"])
                code = 0
            finally:
                os._exit(code)
        print(answer, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
