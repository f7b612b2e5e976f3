"""A reader and an editor as a `UnifiedModel`: pictures and strings in, pictures and strings out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from ..plain_prefix import longer, plain
from ..protocol import Capabilities, Identity, Prefix, Reading, Sampler, Segment, StepCallback, View
from .drawing import Drawer
from .pipelines import Editing
from .reading import Reader, checked_picture


def capabilities_of(
    editing: Editing | None, pictures: int, together: int, same_weights: bool, deterministic: bool
) -> Capabilities:
    """What a pair declares.

    Args:
        editing: The row of its pipeline; `None` where it reads alone.
        pictures: That the reader is shown at once.
        together: Texts that it continues at once.
        same_weights: Whether the reader is that of the pipeline.
        deterministic: Whether it runs on a CPU.
    """
    return Capabilities(
        edits="native" if editing else "none",
        presets={"": editing.steps if editing else 1},
        settings=dict(editing.scales) if editing else {},
        scores=True,
        log_probabilities=True,
        temperature=True,
        max_pictures=pictures,
        text_segments=True,
        aspect="kept",
        same_weights=same_weights,
        max_batch=together,
        max_drawings=1,  # pictures of several sizes are no batch of a pipeline
        deterministic=deterministic,
        prefix_cache=False,
    )


class PairModel:
    """A reader and, where there is one, an editor.

    Args:
        reader: Reads and compares.
        drawer: Draws; `None` where it reads alone.
        identity: Who it is.
        capabilities: What it declares.
        prompt_set: Its templates.
    """

    key = "pair"

    def __init__(
        self,
        reader: Reader,
        drawer: Drawer | None,
        identity: Identity,
        capabilities: Capabilities,
        prompt_set: str = "bagel",
    ) -> None:
        """Keep the parts."""
        self.identity = identity
        self.capabilities = capabilities
        self.prompt_set = prompt_set
        self._reader = reader
        self._drawer = drawer

    def extend(
        self, prefixes: Sequence[Prefix | None], segments: Sequence[Segment], view: View = "read"
    ) -> list[Prefix]:
        """Append one segment to each prefix.

        Raises:
            PictureError: A picture is too narrow.
        """
        return [
            longer(prefix, part if isinstance(part, str) else checked_picture(part))
            for prefix, part in zip(prefixes, segments, strict=True)
        ]

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | None]:
        """Continue the texts in lockstep; see `TemperatureModel`."""
        shown = [plain(prefix).segments for prefix in prefixes]
        return self._reader.read(shown, texts, max_tokens, on_step, temperature, seeds)

    def score(
        self, prefixes: Sequence[Prefix], texts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-probability of each option as the whole answer to its text; see `ScoringModel`."""
        return [
            self._reader.score(plain(prefix).segments, text, chosen)
            for prefix, text, chosen in zip(prefixes, texts, options, strict=True)
        ]

    def count_tokens(self, option: str) -> int:
        """Tokens of an option and the end; see `ScoringModel`."""
        return self._reader.count_tokens(option)

    @torch.inference_mode()
    def draw(
        self,
        prefixes: Sequence[Prefix],
        instructions: Sequence[str],
        sampler: Sampler,
        seeds: Sequence[int],
        on_step: StepCallback,
        thoughts: Sequence[str] = (),
    ) -> list[Image.Image | None]:
        """Draw on the last picture of each prefix, one after the other; see `DrawingModel`."""
        assert self._drawer is not None, "the engine asks for no drawing where none is declared"
        steps, wanted = sampler.steps or 1, [True] * len(prefixes)
        drawn: list[Image.Image | None] = []
        for row, (prefix, instruction, seed) in enumerate(zip(prefixes, instructions, seeds, strict=True)):

            def told(step: int, row: int = row) -> bool:
                wanted[:] = on_step(row * steps + step, len(prefixes) * steps)
                return wanted[row]

            picture = plain(prefix).images[-1]
            drawn.append(self._drawer.draw(picture, instruction, sampler, seed, told) if wanted[row] else None)
        return drawn
