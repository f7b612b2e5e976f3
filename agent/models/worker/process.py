"""The worker process as the engine's side sees it: how it is started, asked and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from PIL import Image

from ... import errors
from ...errors import BudgetError, ExtensionError, G2UError, WorkerError
from ..protocol import PreviewCallback, StepCallback
from .child import NO_PILLOW, VERSION, receive, send

CHILD: Final = Path(__file__).with_name("child.py")
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME")
"""Variables that would mix the packages of two environments."""
_LAST_LINES = 12
"""Of the log, in an error."""
_LAST_BYTES = 4096
"""In which they lie."""
_SECONDS_TO_END = 10.0
"""That a process is waited for which has closed its sockets, before it is killed, and after it."""


class Process:
    """One run of `child.py`.

    Args:
        python: Of the other environment.
        place: Of the function that loads the model.
        weights: Folder of weights, or nothing.
        names: Methods that the model may have.

    Attributes:
        described: What the model says of itself, see `child.described_model`.
        released: Numbers of prefixes that nobody has any more; the next call tells the process.

    Raises:
        ExtensionError: There is no such Python, or it has no Pillow, or the place cannot be imported there.
        WorkerError: The process ended while the model was loaded, or loading failed.
    """

    def __init__(self, python: str, place: str, weights: str, names: Sequence[str]) -> None:
        """Start it, and wait until the model is loaded."""
        self._python, self._place = python, place
        self._keep_log = self._over = False
        self._owner = os.getpid()
        self._looking_up = threading.Lock()
        self.released: deque[int] = deque()
        self._line, line = socket.socketpair()
        self._side, side = socket.socketpair()
        with line, side, tempfile.NamedTemporaryFile(prefix="g2u-worker-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
            try:
                self._popen = subprocess.Popen(
                    [python, "-u", str(CHILD), str(line.fileno()), str(side.fileno())],
                    pass_fds=(line.fileno(), side.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON},
                    start_new_session=True,  # Ctrl-C is for this process, which ends the other one
                )
            except OSError as error:
                self.log.unlink()
                self._close_sockets()
                message = f"{python!r} cannot be started: {error.strerror}."
                hint = "Name the Python of a virtual environment, such as `.venv-old/bin/python`."
                raise ExtensionError(message, hint).naming(python) from error
        _PROCESSES.add(self)
        try:
            self.described: Final = self._begin(weights, names)
        except BaseException:
            self.end()
            raise

    @property
    def number(self) -> int:
        """Of the process, as the system knows it."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    def call(
        self,
        method: str,
        arguments: list[Any],
        pictures: Sequence[Image.Image],
        on_step: StepCallback | None = None,
        previews: Sequence[PreviewCallback | None] = (),
    ) -> tuple[Any, list[Image.Image]]:
        """Call a method of the model, from one thread at a time.

        Args:
            method: Its name.
            arguments: Packed, see `child._Host.unpacked`.
            pictures: Among them, by their numbers.
            on_step: Told of each step.
            previews: Told of what is drawn so far, by row.

        Returns:
            What came, packed as `child._Host.packed` does it, and the pictures in it.

        Raises:
            WorkerError: The process ended meanwhile, or the model raised what is no error of G2U.
            G2UError: The model raised one of that name.
        """
        freed = [self.released.popleft() for _ in range(len(self.released))]
        try:
            send(self._line, {"call": method, "arguments": arguments, "free": freed}, pictures)
        except ValueError as error:  # nothing was sent
            self.released.extend(freed)
            raise BudgetError(str(error), "Ask with fewer or smaller pictures at once.") from None
        except OSError as error:
            raise self._ended(f"before `{method}`") from error
        try:
            head, shown = self._answered(on_step, previews)
        except (EOFError, OSError) as error:
            raise self._ended(f"in the middle of `{method}`") from error
        except ValueError as error:
            self._keep_log = True
            self.end()
            raise self._error(f"The worker process of {self._place!r} was ended: {error}") from error
        if "error" in head:
            raise self._raised(head["error"])
        return head["result"], shown

    def look_up(self, method: str, *arguments: Any) -> Any:
        """Call a method of the model that is a mere look-up, from any thread and while it does something else.

        Raises:
            WorkerError: As for `call`.
        """
        with self._looking_up:
            try:
                send(self._side, {"call": method, "arguments": arguments})
                head, _ = receive(self._side)
            except (EOFError, OSError) as error:
                raise self._ended(f"in the middle of `{method}`") from error
        if "error" in head:
            raise self._raised(head["error"])
        return head["result"]

    def end(self) -> None:
        """Kill the process and whatever it started, and drop its log. Done twice, it is done once."""
        self._close_sockets()
        if self._over or os.getpid() != self._owner:  # or this is a fork of the one that it belongs to
            return
        self._over = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.number, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that a driver holds ends once that lets it go
            self._popen.wait(_SECONDS_TO_END)
        if not self._keep_log:
            self.log.unlink(missing_ok=True)

    def _begin(self, weights: str, names: Sequence[str]) -> dict[str, Any]:
        try:
            send(self._line, {"version": VERSION, "place": self._place, "weights": weights, "names": list(names)})
            head, _ = receive(self._line)
        except (EOFError, OSError) as error:
            ended = self._ended("while it was loaded")
            if self._popen.returncode != NO_PILLOW:
                raise ended from error
            hint = f"`{self._python} -m pip install pillow` installs it."
            message = f"The Python of the worker process, {self._python!r}, has no Pillow."
            raise ExtensionError(message, hint).naming(self._python) from error
        if head["version"] != VERSION:
            found = f"speaks version {head['version']} of the messages, and {VERSION} was expected"
            hint = "G2U was changed while it ran: start the program again."
            raise self._error(f"The worker process of {self._place!r} {found}.", hint)
        if "error" in head:
            self._keep_log = True
            raise self._raised(head["error"])
        described: dict[str, Any] = head["model"]
        return described

    def _answered(
        self, on_step: StepCallback | None, previews: Sequence[PreviewCallback | None]
    ) -> tuple[dict[str, Any], list[Image.Image]]:
        """The answer to a call. Whoever is told of steps meanwhile may raise an exception, which ends it."""
        problem: BaseException | None = None
        while True:
            head, shown = receive(self._line)
            wanted: Sequence[bool] = ()
            try:
                if problem is None and "preview" in head:
                    row, done, total = head["preview"]
                    cast(PreviewCallback, previews[row])(done, total, shown[0])
                elif problem is None and "step" in head:
                    done, total = head["step"]
                    wanted = cast(StepCallback, on_step)(done, total)
            except BaseException as error:  # the caller's code, so any
                problem = error
            if "step" in head:
                send(self._line, {"wanted": [bool(one) for one in wanted]} if problem is None else {"stop": True})
            elif "preview" not in head:
                if problem is not None:
                    raise problem
                return head, shown

    def _close_sockets(self) -> None:
        self._line.close()
        self._side.close()

    def _ended(self, when: str) -> WorkerError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_SECONDS_TO_END)
        code = self._popen.poll()
        self._keep_log = True
        self.end()
        how = "closed its sockets" if code is None else f"ended with code {code}"
        if code is not None and code < 0:
            how = f"was ended by the signal {signal.Signals(-code).name}"
        message = f"The worker process of {self._place!r} {how} {when}."
        return self._error(message, "Ask again: the next request starts it anew.")

    def _raised(self, told: dict[str, Any]) -> Exception:
        """What the model raised: an error of G2U where its class, or one that it is derived from, is called so."""
        for name in told["kinds"]:
            kind = getattr(errors, name, None)
            if isinstance(kind, type) and issubclass(kind, G2UError) and kind.__init__ is G2UError.__init__:
                return kind(told["message"], told["hint"]).naming(*self._places)
        if "OutOfMemoryError" in told["kinds"]:
            import torch

            return torch.OutOfMemoryError(told["message"])
        raised = f"raised {told['kinds'][0]}: {told['message']}".rstrip(".")
        return self._error(f"The model of {self._place!r} {raised}, in its worker process.")

    def _error(self, message: str, hint: str = "") -> WorkerError:
        error = WorkerError(message, hint).naming(*self._places)
        with contextlib.suppress(OSError):
            with self.log.open("rb") as log:  # of any size
                log.seek(max(0, os.fstat(log.fileno()).st_size - _LAST_BYTES))
                lines = log.read(_LAST_BYTES).decode(errors="replace").splitlines()
            error.add_note("\n".join([f"(Its log is {self.log}, which ends with:", *lines[-_LAST_LINES:]]) + ")")
        return error

    @property
    def _places(self) -> tuple[str, ...]:
        home = self._place.rpartition(":")[0]
        return (home, self._python) if home.endswith(".py") else (self._python,)


_PROCESSES: Final[weakref.WeakSet[Process]] = weakref.WeakSet()


def _close_inherited() -> None:
    """In a fork: sockets that it kept open would keep worker processes alive that are not its own."""
    for process in _PROCESSES:
        process._close_sockets()


os.register_at_fork(after_in_child=_close_inherited)
