"""G2U: unified multimodal models that imagine before they answer.

The whole public face; everything is imported on first use, so that `import g2u` is quick and loads no torch.

    >>> import g2u
    >>> run = g2u.ask("picture.png", "What colour is the circle?", options=["red", "blue"])
    >>> run.answer
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from g2u.edits import EditLibrary
    from g2u.engine import get_engine, register_engine
    from g2u.errors import G2UError
    from g2u.graphs.imagine import build_graph
    from g2u.models.protocol import Sampler
    from g2u.pictures import ImageRef, ImageStore
    from g2u.plugins.edits import edit_tools
    from g2u.plugins.mcp.http import mcp_app
    from g2u.plugins.node import as_node
    from g2u.plugins.tool import as_tool
    from g2u.run import Run, aask, ask
    from g2u.state import STATE_TYPES, Context
    from g2u.writers import register_writer

    __version__: str

__all__ = [
    "STATE_TYPES",
    "Context",
    "EditLibrary",
    "G2UError",
    "ImageRef",
    "ImageStore",
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
    "register_writer",
]

_HOMES = {
    "STATE_TYPES": "g2u.state",
    "Context": "g2u.state",
    "EditLibrary": "g2u.edits",
    "G2UError": "g2u.errors",
    "ImageRef": "g2u.pictures",
    "ImageStore": "g2u.pictures",
    "Run": "g2u.run",
    "Sampler": "g2u.models.protocol",
    "aask": "g2u.run",
    "as_node": "g2u.plugins.node",
    "as_tool": "g2u.plugins.tool",
    "ask": "g2u.run",
    "build_graph": "g2u.graphs.imagine",
    "edit_tools": "g2u.plugins.edits",
    "get_engine": "g2u.engine",
    "mcp_app": "g2u.plugins.mcp.http",
    "register_engine": "g2u.engine",
    "register_writer": "g2u.writers",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name == "__version__":
        return importlib.metadata.version("g2u")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
