"""The flow scheduler of diffusers, without two imports that take longer than torch and that it does not use.

On the way to any scheduler, diffusers imports `torch._dynamo`, for a decorator of its networks, and `scipy.stats`,
where it is installed, for one kind of noise levels. Here the first is put off until a network is decorated and the
second until it is used; for all else in this process diffusers is as it always is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any

__all__ = ["FlowMatchEulerDiscreteScheduler"]


class _PutOff(MetaPathFinder):
    """Lets one thread, and no other, do without the two: as if the one were missing, and with the other lazy."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if threading.get_ident() != self._thread:
            return None
        if name == "torch._dynamo":
            raise ModuleNotFoundError(f"{name} is put off", name=name)  # diffusers has a way without it
        if name != "scipy.stats":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def _allow_in_graph(network: Any) -> Any:
    """What diffusers decorates its networks with."""
    from torch._dynamo import allow_in_graph

    return allow_in_graph(network)


@contextmanager
def _put_off() -> Iterator[None]:
    fresh = "diffusers.utils.torch_utils" not in sys.modules and "torch._dynamo" not in sys.modules
    finder = _PutOff()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if fresh and (module := sys.modules.get("diffusers.utils.torch_utils")):
            vars(module)["maybe_allow_in_graph"] = _allow_in_graph


try:
    with _put_off():
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
except ImportError:  # a diffusers that cannot do without them, or a broken one, which now says so itself
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
