"""What a remote model needs, looked at: settings, keys, and whether its servers answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import httpx

from ...errors import G2UError
from ..checks import Check
from .client import Sent
from .forms import MODELS, read_models
from .load import keys_of
from .model import RemoteModel
from .settings import read_settings
from .together import run_together


def examine(key: str, weights: str) -> Iterator[Check]:
    """Settings, keys and the list of models of each server; see `checks.Examiner`."""
    try:
        settings = read_settings(weights)
        keys = keys_of(settings)
    except G2UError as error:
        yield Check(name="settings", good=False, found=str(error))
        return
    yield Check(name="settings", good=True, found="; ".join(settings.told))
    model = RemoteModel(settings, keys)
    for what, endpoint in (("reader", settings.reader), ("editor", settings.editor)):
        if endpoint is None:
            yield Check(name="editor", good=True, found="none: it reads alone")
            continue
        yield Check(name=f"key of the {what}", good=True, found="set" if keys[what] else "none, and none is sent")
        yield _served(model, what, endpoint.model)


def _served(model: RemoteModel, what: str, wanted: str) -> Check:
    (found,) = served(model, what)
    if isinstance(found, G2UError):
        return Check(name=what, good=False, found=str(found))
    told = ", ".join(found[:8])
    if wanted in found:
        return Check(name=what, good=True, found=f"serves {told}")
    return Check(name=what, good=False, found=f"serves {told}, and not {wanted}: set the name of its model")


def served(model: RemoteModel, what: str) -> list[list[str] | G2UError]:
    """One entry: what the `reader` or `editor` says that it serves, or why it cannot be told."""

    async def ask(connections: httpx.AsyncClient) -> list[str]:
        client = model.client(what)
        return read_models(client, await client.ask(connections, Sent(MODELS)))

    found = run_together([partial(ask)], 1, lambda done, total: [True])
    return [one if one is not None else [] for one in found]
