"""What the protocol says of a model and of what it gives, as checks at the border: each names its rule and what came.

The engine checks every result of every model; `load_model` checks what was loaded.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any, Final, cast

from PIL import Image

from ..errors import G2UError, ProtocolError
from .protocol import Capabilities, Identity, Prefix, Reading

Fault = tuple[str, str]
"""A rule, and what came instead."""


@dataclass(frozen=True)
class Method:
    """A method of a model and what it must take."""

    name: str
    arguments: int
    """Given by position."""


METHODS: Final = (
    ("", Method("extend", 3)),
    ("", Method("read", 4)),
    ("reading_settings", Method("extend", 4)),
    ("temperature", Method("read", 6)),
    ("edits", Method("draw", 6)),
    ("previews", Method("draw", 7)),
    ("scores", Method("score", 3)),
    ("scores", Method("count_tokens", 1)),
    ("closed_vocabulary", Method("unknown_words", 1)),
    ("domain", Method("out_of_domain", 1)),
)
"""By the capability that declares it, empty for none, each method that a model must have."""
LONGEST_TOKEN: Final = 256
"""Characters: no vocabulary has a longer one that is not white space."""
MOST_PIXELS: Final = 2**26
"""Of a drawing: 8,192 x 8,192."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_model(key: str, model: Any) -> None:
    """Refuse what is no model.

    Args:
        key: By which it was loaded, for errors.
        model: What a loader gave.

    Raises:
        ProtocolError: With the first rule that it breaks.
    """
    for rule, found in model_faults(model):
        raise ProtocolError(key, rule, found)


def model_faults(model: Any) -> Iterator[Fault]:
    """The rules that a model breaks by what it is, before anything is asked of it."""
    for name, kind in {"key": str, "prompt_set": str, "capabilities": Capabilities, "identity": Identity}.items():
        if not hasattr(model, name):
            yield f"a model has the attribute `{name}`", f"{type(model).__name__} has none"
            return
        if not isinstance(getattr(model, name), kind):
            found = getattr(model, name)
            yield f"`{name}` is of type {kind.__name__}", f"{short(found)} is of type {type(found).__name__}"
            return
    able: Capabilities = model.capabilities
    for capability, method in METHODS:
        declared = able.edits != "none" if capability == "edits" else not capability or getattr(able, capability)
        why = f" that declares `{capability}`" if capability else ""
        if declared and not callable(getattr(model, method.name, None)):
            yield f"a model{why} has the method `{method.name}`", f"{type(model).__name__} has none"
        elif declared and not _takes(getattr(model, method.name), method.arguments):
            found = inspect.signature(getattr(model, method.name))
            yield f"`{method.name}` of a model{why} takes {method.arguments} arguments", f"it is {method.name}{found}"
    if not model.key:
        yield "`key` is a name", "it is empty"
    if not _DIGEST.fullmatch(model.identity.weights):
        yield "`identity.weights` is a SHA-256 in hexadecimal digits", f"it is {short(model.identity.weights)}"
    yield from _capability_faults(able)


def _capability_faults(able: Capabilities) -> Iterator[Fault]:
    for name in ("max_pictures", "max_batch"):
        if getattr(able, name) < 1:
            yield f"`{name}` is at least 1", f"it is {getattr(able, name)}"
    rows = (
        (able.answers is not None and not able.scores, "`answers` are compared by `scores`", "it declares no scores"),
        (able.thinks and not able.text_segments, "one that `thinks` takes `text_segments`", "it declares none"),
        (
            able.max_originals is not None and not 1 <= able.max_originals <= able.max_pictures,
            "`max_originals` is 1 to `max_pictures`",
            f"it is {able.max_originals} of {able.max_pictures}",
        ),
        (
            able.native is not None and not (able.thinks and able.edits == "native" and able.text_segments),
            "one that is `native` takes `text_segments`, `thinks` and draws",
            "it declares less",
        ),
        (
            able.native is not None and not (able.native.trigger and all(able.native.answer)),
            "`native` has a trigger and marks around the answer",
            f"it is {able.native}",
        ),
        (
            able.native is not None and able.native.temperature > 0 and not able.temperature,
            "one whose `native` has a temperature declares `temperature`",
            "it declares none",
        ),
        (not able.presets, "`presets` has at least one", "it is empty"),
    )
    yield from ((rule, found) for broken, rule, found in rows if broken)
    for preset, values in able.preset_values.items():
        if preset not in able.presets:
            yield "`preset_values` are those of `presets`", f"there is no preset {preset!r}"
        for name in set(values) - set(able.settings):
            yield "`preset_values` are values of `settings`", f"{preset!r} has {name!r}"
    for name, setting in able.settings.items():
        try:
            setting.take(setting.default)
        except ValueError:
            yield f"the default of the setting {name!r} is {setting.expected}", f"it is {setting.default!r}"


def _takes(method: Any, arguments: int) -> bool:
    try:
        inspect.signature(method).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # of a function that says nothing of what it takes
        return True
    return True


def check_results(model: str, method: str, results: object, requests: int) -> None:
    """Refuse what a call of a model gave, where it is not what the protocol says of all of it.

    Args:
        model: Its key.
        method: `extend`, `read`, `score`, `draw` or `out_of_domain`.
        results: What came.
        requests: How many the call had.

    Raises:
        ProtocolError: With the first rule that is broken.
    """
    for rule, found in _list_faults(method, results, requests):
        raise ProtocolError(model, rule, found)


def check_result(model: str, method: str, result: object, most: int | None = None) -> None:
    """Refuse what came for one request of a call; that of the others may be right.

    Args:
        model: Its key.
        method: As for `check_results`.
        result: What came.
        most: Tokens that were allowed for a reading, options of a scoring; `None` for anything else.

    Raises:
        ProtocolError: With the first rule that is broken.
    """
    for rule, found in _one_faults(method, result, most):
        raise ProtocolError(model, rule, found)


def result_faults(method: str, results: object, requests: int, most: int | None = None) -> Iterator[Fault]:
    """What is wrong with the results of a call; see `check_results` and `check_result`."""
    faults = list(_list_faults(method, results, requests))
    yield from faults
    for result in cast(Sequence[object], results) if not faults else ():
        yield from _one_faults(method, result, most)


def _list_faults(method: str, results: object, requests: int) -> Iterator[Fault]:
    if not isinstance(results, Sequence) or isinstance(results, str):
        yield f"`{method}` gives a list", f"{short(results)} came"
    elif len(results) != requests:
        yield f"`{method}` gives one result for each request", f"{len(results)} came for {requests}"


def _one_faults(method: str, result: object, most: int | None) -> Iterator[Fault]:
    if method not in _ONE_BY_ONE or not isinstance(result, G2UError):
        yield from _FAULTS[method](result, most)


def _prefix_faults(prefix: object, most: int | None) -> Iterator[Fault]:
    if not isinstance(prefix, Prefix):
        yield "`extend` gives prefixes, which have `pictures` and `nbytes`", f"{short(prefix)} came"
    elif not isinstance(prefix.nbytes, int) or prefix.nbytes < 0:
        yield "`nbytes` of a prefix is a number of bytes", f"it is {prefix.nbytes!r}"


def _reading_faults(reading: object, most: int | None) -> Iterator[Fault]:
    if reading is None:
        return
    if not isinstance(reading, Reading) or not isinstance(reading.text, str):
        yield "`read` gives a `Reading` with a text, or None for a request left out", f"{short(reading)} came"
    elif reading.log_probability is not None and not math.isfinite(reading.log_probability):
        yield "the log-probability of a reading is finite", f"it is {reading.log_probability}"
    elif not isinstance(reading.tokens, int) or reading.tokens < 0:
        yield "a reading counts its tokens", f"it has {reading.tokens!r}"
    elif most is not None and len(reading.text) > most * LONGEST_TOKEN:
        told = f"{len(reading.text):,} characters came"
        yield f"a reading has at most the {most:,} tokens that it is given, {LONGEST_TOKEN} characters each", told


def _score_faults(scores: object, most: int | None) -> Iterator[Fault]:
    if not isinstance(scores, Sequence) or not all(isinstance(value, int | float) for value in scores):
        yield "`score` gives a list of numbers for each request", f"{short(scores)} came"
    elif any(math.isnan(value) or value == math.inf for value in scores):
        yield "a score is a log-probability", f"{next(v for v in scores if math.isnan(v) or v == math.inf)} came"
    elif most is not None and len(scores) != most:
        yield "`score` gives one number for each option", f"{len(scores)} came for {most}"


def _drawing_faults(drawing: object, most: int | None) -> Iterator[Fault]:
    if drawing is None:
        return
    if not isinstance(drawing, Image.Image):
        yield "`draw` gives pictures of Pillow, or None for a request left out", f"{short(drawing)} came"
    elif drawing.mode != "RGB" or 0 in drawing.size:
        yield "a drawing is an RGB picture", f"one of mode {drawing.mode} and size {drawing.size} came"
    elif drawing.width * drawing.height > MOST_PIXELS:
        yield f"a drawing has at most {MOST_PIXELS:,} pixels", f"one of {drawing.width} x {drawing.height} came"


def _domain_faults(share: object, most: int | None) -> Iterator[Fault]:
    if share is not None and not (isinstance(share, int | float) and 0 <= share <= 1):
        yield "`out_of_domain` is a number in [0, 1] or None", f"{short(share)} came"


_FAULTS: Final = {
    "extend": _prefix_faults,
    "read": _reading_faults,
    "score": _score_faults,
    "draw": _drawing_faults,
    "out_of_domain": _domain_faults,
}
_ONE_BY_ONE: Final = ("read", "draw")
"""Methods that may give an error in the place of one result."""
