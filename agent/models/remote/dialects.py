"""How servers differ in what they call things, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What a kind of server takes."""

    about: str
    """Which servers speak it."""
    limit: str
    """Field of a chat for the tokens of a reply at most."""
    size: Literal["pixels", "auto"]
    """What is sent as the size of a drawing: that of the picture, as `640x480`, or `auto`."""
    base64_wanted: bool
    """Whether the field `response_format` asks for the picture itself; else it always comes so."""
    seeds: bool
    """Whether a drawing takes a seed."""
    steps: str
    """Field of a drawing for its steps; empty for none."""


DIALECTS: Final[Mapping[str, Dialect]] = {
    "open": Dialect(
        about="vLLM, vLLM-Omni, SGLang and most servers of open weights",
        limit="max_tokens",
        size="pixels",
        base64_wanted=True,
        seeds=True,
        steps="num_inference_steps",
    ),
    "openai": Dialect(
        about="OpenAI itself",
        limit="max_completion_tokens",
        size="auto",
        base64_wanted=False,
        seeds=False,
        steps="",
    ),
}
"""By name, the default first."""
