"""Servers as a `UnifiedModel`: pictures and strings out over HTTP, pictures and strings in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import httpx
from PIL import Image

from g2u import prompts

from ...errors import CapabilityError, G2UError
from ...version import __version__
from ..plain_prefix import PlainPrefix, longer, plain
from ..protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from .client import Client
from .forms import chat, edit, read_chat, read_edit
from .secrets import Secrets
from .settings import STITCHED, Endpoint, Remote
from .showing import cut_out, fitted, on_square, same_aspect, side_by_side
from .together import run_together


class RemoteModel:
    """A reader and an editor behind servers.

    Args:
        settings: Which, and how they are asked.
        keys: By `reader` and `editor`; those without one are asked without.
    """

    key = "remote"

    def __init__(self, settings: Remote, keys: dict[str, str] | None = None) -> None:
        """Ask nothing yet."""
        keys = keys or {}
        secrets = Secrets(keys.values())
        editor = settings.editor
        self.settings = settings
        self.prompt_set = settings.prompts
        self.identity = Identity(model=self.key, weights=settings.digest, code=__version__, settings=settings.told)
        self.capabilities = Capabilities(
            edits="native" if editor else "none",
            presets={"": (editor.steps if editor else None) or 1},
            seeded=bool(editor and editor.seeded),
            log_probabilities=settings.reader.logprobs,
            temperature=settings.reader.temperature,
            max_pictures=STITCHED if settings.stitched else settings.reader.pictures,
            text_segments=not settings.stitched,
            aspect="kept",
            same_weights=editor is not None
            and (editor.url, editor.model) == (settings.reader.url, settings.reader.model),
            max_batch=max(settings.reader.concurrent, editor.concurrent if editor else 1),
            max_drawings=editor.concurrent if editor else None,
            deterministic=False,
            prefix_cache=False,
        )
        parts = {"reader": settings.reader, "editor": editor}
        self._clients = {what: self._client(what, part, keys, secrets) for what, part in parts.items() if part}

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix; nothing is sent yet."""
        return [longer(prefix, segment) for prefix, segment in zip(prefixes, segments, strict=True)]

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | G2UError | None]:
        """Let the reader reply to each text, all at the same time; see `TemperatureModel`. A reply is one step."""
        chances = list(seeds) or [0] * len(texts)
        jobs = [
            partial(self._read, plain(prefix), text, max_tokens, temperature, seed)
            for prefix, text, seed in zip(prefixes, texts, chances, strict=True)
        ]
        return run_together(jobs, 1, on_step, self.settings.reader.concurrent)

    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
    ) -> list[Image.Image | G2UError | None]:
        """Let the editor draw on the last picture of each prefix, all at the same time; see `DrawingModel`.

        A server tells of no steps, so that those of a drawing are counted when it is there.
        """
        jobs = [
            partial(self._draw, plain(prefix).images[-1], instruction, sampler, seed)
            for prefix, instruction, seed in zip(prefixes, instructions, seeds, strict=True)
        ]
        editor = self.settings.editor
        return run_together(jobs, sampler.steps or 1, on_step, editor.concurrent if editor else 1)

    def client(self, what: str) -> Client:
        """Who asks the `reader` or the `editor`.

        Raises:
            CapabilityError: There is no editor.
        """
        if what not in self._clients:
            raise CapabilityError("'remote' was given no editor.", "Name its `url` and its `model`.")
        return self._clients[what]

    async def _read(
        self,
        shown: PlainPrefix,
        text: str,
        max_tokens: int,
        temperature: float,
        seed: int,
        connections: httpx.AsyncClient,
    ) -> Reading:
        settings, client, longest = self.settings.reader, self.client("reader"), self.settings.longest_side
        segments: Sequence[Segment] = [
            part if isinstance(part, str) else fitted(part, longest) for part in shown.segments
        ]
        if self.settings.stitched and shown.pictures > 1:
            segments = [side_by_side(shown.images, longest)]
            text = prompts.render("remote", "side_by_side", pictures=shown.pictures, text=text)
        sent = chat(settings, segments, text, max_tokens, temperature, seed)
        return read_chat(client, settings, await client.ask(connections, sent))

    async def _draw(
        self, picture: Image.Image, instruction: str, sampler: Sampler, seed: int, connections: httpx.AsyncClient
    ) -> Image.Image:
        settings, client = self.settings.editor, self.client("editor")
        assert settings is not None, "it has a client"
        source = fitted(picture, self.settings.longest_side)
        square, box = on_square(source)
        canvas = square if settings.canvas == "square" else source
        steps = sampler.steps if settings.steps or (sampler.steps or 1) > 1 else None
        drawing = read_edit(client, await client.ask(connections, edit(settings, canvas, instruction, steps, seed)))
        if not same_aspect(drawing, canvas):
            found = f"drew {drawing.width}x{drawing.height} pixels on a picture of {canvas.width}x{canvas.height}"
            hint = "Set `canvas: square` of the editor: bars are added before, and cut off after."
            raise client.failure(found, hint if canvas is source else "Ask another server, which keeps the size.")
        return cut_out(drawing, box, square.width) if canvas is square else drawing

    def _client(self, what: str, endpoint: Endpoint, keys: dict[str, str], secrets: Secrets) -> Client:
        return Client(
            what,
            endpoint.url,
            keys.get(what, ""),
            secrets,
            seconds=endpoint.seconds,
            tries=self.settings.tries,
            backoff=self.settings.backoff,
            per_minute=endpoint.per_minute,
        )
