"""A scripted model that imagines inside its own text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from g2u.models.protocol import Native, Prefix, Reading, StepCallback
from tests.scripted import ScriptedModel

NATIVE = Native(trigger="<image_start>", answer=("<answer>", "</answer>"), rounds=3, max_tokens=50, temperature=0.3)
TEXTS = (
    "<think>I must look closer.</think><image_start>",
    "<think>Once more.</think><image_start>",
    "<think>Now I see.</think><answer>blue</answer>",
)


@dataclass
class NativeModel(ScriptedModel):
    """Writes one of some texts, by how many pictures it has seen."""

    texts: Sequence[str] = TEXTS
    prompt_set: str = "thinkmorph"

    def read(
        self,
        prefixes: Sequence[Prefix],
        texts: Sequence[str],
        max_tokens: int,
        on_step: StepCallback,
        temperature: float = 0.0,
        seeds: Sequence[int] = (),
    ) -> list[Reading | None]:
        """The scripted text; what it was asked is noted."""
        self.read_script = lambda text, pictures: self.texts[min(len(pictures), len(self.texts)) - 1]
        self.asked.append((texts[0], max_tokens, temperature, tuple(seeds)))
        return super().read(prefixes, texts, max_tokens, on_step)

    def __post_init__(self) -> None:
        """Note nothing yet."""
        self.asked: list[tuple[str, int, float, tuple[int, ...]]] = []


def native_model(texts: Sequence[str] = TEXTS, **changes: Any) -> NativeModel:
    """One with some texts, and some capabilities changed."""
    able = {"native": NATIVE, "max_pictures": 6, "text_segments": True, "temperature": True, "thinks": True}
    model = NativeModel().declaring(**{**able, "drawing_view": True, **changes})
    model.texts = texts
    return model
