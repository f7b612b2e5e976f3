"""The page to play with: ask in a browser, watch the thought being drawn, look at past runs.

    >>> from starlette.routing import Mount
    >>> Mount("/g2u", routes=[*g2u.webpage.routes(runs="runs"), ...])  # beside the routes of pictures

It needs the extra `serve`, and a server that has two more routes under the same mount: `GET pictures/{sha256}`, and
`POST pictures` with a picture as its body, which replies with an `ImageRef`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingExtraError
from ..state import Context
from ..turns import Turns

if TYPE_CHECKING:
    from starlette.routing import Route

__all__ = ["routes"]


def routes(runs: str | Path = "runs", context: Context | None = None, turns: Turns | None = None) -> list[Route]:
    """The routes of the page, to be mounted under any path that ends with a slash.

    Args:
        runs: Folder of the runs that are made and shown.
        context: Settings of every run that the page does not change: the model and its weights, the store, the seconds.
        turns: Places for runs, shared with whatever else starts some; `None` for the page's own.

    Raises:
        MissingExtraError: The extra `serve` is not installed.
    """
    if importlib.util.find_spec("starlette") is None:
        raise MissingExtraError("The page", "starlette", "serve")
    from .addresses import build_routes

    return build_routes(Path(runs), context or Context(), turns or Turns())
