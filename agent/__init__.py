"""G2U: unified multimodal models that imagine before they answer.

The whole public face; everything is imported on first use, so that `import g2u` is quick and loads no torch.

    >>> import g2u
    >>> run = g2u.ask("picture.png", "What colour is the circle?", options=["red", "blue"])
    >>> run.answer
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from g2u.graphs.imagine import build_graph

    from .asking import Run, aask, ask
    from .edits.library import EditLibrary
    from .engine.registry import get_engine, register_engine, register_model
    from .errors import G2UError
    from .loop.deciding.policies import register_policy
    from .loop.deciding.writers import register_writer
    from .models.protocol import Sampler
    from .pictures.references import ImageRef
    from .pictures.store import ImageStore
    from .plugins.edits import edit_tools
    from .plugins.mcp.http import mcp_app
    from .plugins.node import as_node
    from .plugins.tool import as_tool
    from .state import STATE_TYPES, Context, Question
    from .version import __version__

__all__ = [
    "STATE_TYPES",
    "Context",
    "EditLibrary",
    "G2UError",
    "ImageRef",
    "ImageStore",
    "Question",
    "Run",
    "Sampler",
    "__version__",
    "aask",
    "as_node",
    "as_tool",
    "ask",
    "build_graph",
    "edit_tools",
    "get_engine",
    "mcp_app",
    "register_engine",
    "register_model",
    "register_policy",
    "register_writer",
]

_HOMES = {
    "STATE_TYPES": "g2u.state",
    "Context": "g2u.state",
    "EditLibrary": "g2u.edits.library",
    "G2UError": "g2u.errors",
    "ImageRef": "g2u.pictures.store",  # so that `ImageRef.open` knows the default store
    "ImageStore": "g2u.pictures.store",
    "Question": "g2u.state",
    "Run": "g2u.asking",
    "Sampler": "g2u.models.protocol",
    "__version__": "g2u.version",
    "aask": "g2u.asking",
    "as_node": "g2u.plugins.node",
    "as_tool": "g2u.plugins.tool",
    "ask": "g2u.asking",
    "build_graph": "g2u.graphs.imagine",
    "edit_tools": "g2u.plugins.edits",
    "get_engine": "g2u.engine.registry",
    "mcp_app": "g2u.plugins.mcp.http",
    "register_engine": "g2u.engine.registry",
    "register_model": "g2u.engine.registry",
    "register_policy": "g2u.loop.deciding.policies",
    "register_writer": "g2u.loop.deciding.writers",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
