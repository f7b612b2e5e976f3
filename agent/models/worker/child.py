"""What runs in the worker process: it loads a model there, and serves its calls over two inherited sockets.

It is run by its path in an environment that need not have G2U, so it imports nothing but the standard library and
Pillow, and keeps to the syntax of Python 3.10. The other side imports the messages from here.

A message is a length of eight bytes, little-endian, and so many bytes in the format of safetensors: its pictures are
tensors of bytes, `[height, width, 3]`, named `0`, `1`, ..., and all else is JSON under `head` in its metadata. Nothing
is pickled. One socket carries the calls. On the other one, that of look-ups, a thread answers at any time, and once
that is closed on the far side, the process ends, whatever the model does at that moment.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from PIL import Image

VERSION = 1
"""Of the messages; both sides have the same, or refuse each other."""
MOST_BYTES = 2**30
"""Of a message: 20 pictures of 4096x4096 pixels."""
_LENGTH = struct.Struct("<Q")


def send(line: socket.socket, head: dict[str, Any], pictures: Sequence[Image.Image] = ()) -> None:
    """Send a message.

    Args:
        line: A socket.
        head: Whatever JSON has.
        pictures: In RGB.

    Raises:
        ValueError: It has more than `MOST_BYTES`, and nothing of it was sent.
        TypeError: A picture is not in RGB, and nothing was sent.
        OSError: Nobody is there any more.
    """
    tensors: dict[str, Any] = {"__metadata__": {"head": json.dumps(head)}}
    end = 0
    for number, picture in enumerate(pictures):
        if picture.mode != "RGB":
            raise TypeError(f"A picture of mode {picture.mode} came, and RGB was expected.")
        size = picture.width * picture.height * 3
        shape = [picture.height, picture.width, 3]
        tensors[str(number)] = {"dtype": "U8", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    top = json.dumps(tensors).encode()
    total = _LENGTH.size + len(top) + end
    if total > MOST_BYTES:
        raise ValueError(f"A message of {total:,} bytes is larger than the {MOST_BYTES:,} that are taken.")
    line.sendall(_LENGTH.pack(total) + _LENGTH.pack(len(top)) + top)
    for picture in pictures:
        line.sendall(picture.tobytes())


def receive(line: socket.socket) -> tuple[dict[str, Any], list[Image.Image]]:
    """Wait for a message: its head and its pictures.

    Raises:
        EOFError: Nobody is there any more.
        ValueError: What came is no message.
        OSError: Nobody is there any more.
    """
    from PIL import Image

    (total,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    if not _LENGTH.size <= total <= MOST_BYTES:
        raise ValueError(f"A message of {total:,} bytes came, and at most {MOST_BYTES:,} are taken.")
    body = memoryview(_exactly(line, total))
    (length,) = _LENGTH.unpack_from(body)
    start = _LENGTH.size + length
    try:
        tensors = json.loads(bytes(body[_LENGTH.size : start]))
        head = json.loads(tensors.pop("__metadata__")["head"])
        pictures = []
        for number in range(len(tensors)):
            height, width, _ = tensors[str(number)]["shape"]
            begin, end = tensors[str(number)]["data_offsets"]
            pictures.append(Image.frombytes("RGB", (width, height), bytes(body[start + begin : start + end])))
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"What came is no message: {error!r}.") from error
    if not isinstance(head, dict):
        raise ValueError("What came is no message: its head is no object.")
    return head, pictures


def _exactly(line: socket.socket, count: int) -> bytearray:
    found = bytearray(count)
    view, done = memoryview(found), 0
    while done < count:
        taken = line.recv_into(view[done:])
        if not taken:
            raise EOFError
        done += taken
    return found


class _Stopped(BaseException):
    """Whoever is told of a step raised an exception there; no `except Exception` of a model takes it."""


class _Host:
    """A model, its prefixes by number, and the socket of its calls."""

    def __init__(self, line: socket.socket, model: Any) -> None:
        self.line = line
        self.model = model
        self.prefixes: dict[int, Any] = {}
        self.made = 0
        self.stopped = False

    def serve(self) -> None:
        """Answer calls one after the other, until nobody is there any more."""
        while True:
            self.answer(*receive(self.line))

    def answer(self, head: dict[str, Any], pictures: Sequence[Image.Image]) -> None:
        """Call the model. What it was given and what it gave is let go of with the answer, but prefixes by number."""
        for number in head["free"]:
            del self.prefixes[number]
        self.stopped = False
        shown: list[Image.Image] = []
        try:
            given = [self.unpacked(value, pictures) for value in head["arguments"]]
            result = getattr(self.model, head["call"])(*given)
            told = {"result": self.packed(result, shown, head["call"] == "extend")}
        except _Stopped:
            told = {"stopped": True}
        except Exception as error:  # the model's own code, so any
            told, shown = {"error": described_error(error)}, []
        try:
            send(self.line, told, shown)
        except ValueError as error:
            send(self.line, {"error": described_error(error)})

    def unpacked(self, value: Any, pictures: Sequence[Image.Image]) -> Any:
        """An argument as the model takes it."""
        if isinstance(value, list):
            return [self.unpacked(one, pictures) for one in value]
        if not isinstance(value, dict):
            return value
        ((kind, one),) = value.items()
        kinds: dict[str, Callable[[Any], Any]] = {
            "picture": lambda number: pictures[number],
            "prefix": lambda number: self.prefixes[number],
            "sampler": lambda values: SimpleNamespace(**values),
            "on_step": lambda _: self.on_step,
            "preview": lambda row: functools.partial(self.on_preview, row),
        }
        return kinds[kind](one)

    def packed(self, value: Any, pictures: list[Image.Image], prefixes: bool = False) -> Any:
        """A result as JSON has it; what is none of the protocol's is told in words, and refused on the other side."""
        from PIL import Image

        if isinstance(value, (list, tuple)):
            return [self.packed(one, pictures, prefixes) for one in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Image.Image):
            if value.mode != "RGB" or 0 in value.size:
                return f"{value.mode} picture of {value.width}x{value.height}"
            pictures.append(value)
            return {"picture": len(pictures) - 1}
        if prefixes:
            self.made += 1
            self.prefixes[self.made] = value
            counts = {"pictures": getattr(value, "pictures", None), "kept": getattr(value, "nbytes", None)}
            return {"prefix": {"number": self.made, **counts}}
        if hasattr(value, "item"):  # a number of NumPy or torch
            return value.item()
        reading = value if isinstance(value, dict) else {name: getattr(value, name, None) for name in _READING}
        known = "text" in reading if reading is value else hasattr(value, "text")
        return {"reading": {name: reading.get(name) for name in _READING}} if known else repr(value)

    def on_step(self, done: int, total: int) -> Any:
        """Tell the other side of a step, and wait for what is still wanted."""
        if not self.stopped:
            send(self.line, {"step": [done, total]})
            answer, _ = receive(self.line)
            self.stopped = "wanted" not in answer
            if not self.stopped:
                return answer["wanted"]
        raise _Stopped

    def on_preview(self, row: int, done: int, total: int, picture: Image.Image) -> None:
        """Show the other side what is drawn so far."""
        send(self.line, {"preview": [row, done, total]}, [picture])


_READING = ("text", "log_probability", "tokens")


def described_error(error: BaseException) -> dict[str, Any]:
    """An exception as JSON has it; its traceback goes into the log."""
    traceback.print_exception(type(error), error, error.__traceback__)
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return {"kinds": kinds, "message": str(getattr(error, "message", error)), "hint": str(getattr(error, "hint", ""))}


def described_model(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """All that a model says of itself, and which methods of those names it has."""
    found = {name: _plain(getattr(model, name)) for name in ("key", "prompt_set", "capabilities", "identity")}
    return {**found, "methods": [name for name in names if callable(getattr(model, name, None))]}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    fields = value if isinstance(value, dict) else vars(value)
    return {str(name): _plain(one) for name, one in fields.items()}


def load_model(place: str, weights: str) -> Any:
    """Import what stands at a place, `package.module:function` or `path/to/file.py:function`, and call it."""
    home, _, name = place.rpartition(":")
    if not home.endswith(".py"):
        sys.path.append(os.getcwd())
        return getattr(importlib.import_module(home), name)(weights=weights)
    spec = importlib.util.spec_from_file_location("g2u_worker_model", home)
    assert spec and spec.loader, "it is a Python file"
    module = importlib.util.module_from_spec(spec)
    sys.path.append(os.path.dirname(home))
    sys.modules[spec.name] = module  # before it runs, since dataclasses look their module up
    spec.loader.exec_module(module)
    return getattr(module, name)(weights=weights)


def _look_up(side: socket.socket, model: Any) -> None:
    """Answer look-ups until nobody is there any more, and end the process then."""
    try:
        while True:
            head, _ = receive(side)
            try:
                told = {"result": getattr(model[0], head["call"])(*head["arguments"])}
            except Exception as error:  # the model's own code, so any
                told = {"error": described_error(error)}
            send(side, told)
    finally:
        os._exit(0)


def main(line_number: str, side_number: str) -> NoReturn:
    """Load the model that the first message names, and serve it."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != here]  # what lies beside this file is no module of the model's
    line, side = (socket.socket(fileno=int(number)) for number in (line_number, side_number))
    for one in (line, side):
        one.set_inheritable(False)
        # A process that the model forks would keep it open, and so nobody would see that this one has ended.
        os.register_at_fork(after_in_child=one.close)
    model: list[Any] = []  # there is none yet
    try:
        import PIL.Image  # noqa: F401 - every message needs it
    except ImportError:
        os._exit(NO_PILLOW)
    threading.Thread(target=_look_up, args=(side, model), daemon=True).start()
    try:
        head, _ = receive(line)
        if head["version"] != VERSION:
            send(line, {"version": VERSION})
            receive(line)  # until nobody is there any more
        try:
            model.append(load_model(head["place"], head["weights"]))
            told = {"version": VERSION, "model": described_model(model[0], head["names"])}
        except Exception as error:  # the model's own code, so any
            told = {"version": VERSION, "error": described_error(error)}
        send(line, told)
        if model:
            _Host(line, model[0]).serve()
    except (EOFError, OSError):  # nobody is there any more
        pass
    os._exit(0)


NO_PILLOW = 86
"""With what the process ends where there is no Pillow."""

if __name__ == "__main__":
    import faulthandler

    faulthandler.enable()  # a crash of the model's C code leaves its place in the log
    main(*sys.argv[1:])
