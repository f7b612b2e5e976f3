"""A unified model of your own, whole: it finds the darker half of a picture, and draws it with more contrast.

g2u ask picture.png "Which is darker?" --model examples/own_model.py:load --set contrast=3
"""

from dataclasses import dataclass

from PIL import Image, ImageEnhance

from g2u.models.protocol import Capabilities, Identity, Reading
from g2u.models.settings import Setting


@dataclass(frozen=True)
class Seen:
    """A prefix: what is known of a picture before anything is asked about it, here the picture itself."""

    picture: Image.Image
    pictures: int
    nbytes: int = 0


class Halves:
    """Writes and draws, and declares no more than that."""

    key, prompt_set = "halves", "mini"
    identity = Identity(model="halves", weights="0" * 64, code="1.0")
    capabilities = Capabilities(
        edits="native", aspect="kept", same_weights=True, max_pictures=2, max_batch=8, seeded=False, deterministic=True,
        prefix_cache=False, settings={"contrast": Setting(default=2.0, least=1.0, most=8.0, about="How much of it.")},
    )  # fmt: skip

    def extend(self, prefixes, segments, view="read"):
        """One picture more for each request."""
        return [Seen(one, past.pictures + 1 if past else 1) for past, one in zip(prefixes, segments, strict=True)]

    def read(self, prefixes, texts, max_tokens, on_step):
        """One word each, after the last words of the prompts in `prompts/mini`."""
        said = [Reading(self.say(seen.picture, text), None, 1) for seen, text in zip(prefixes, texts, strict=True)]
        return [reading if wanted else None for reading, wanted in zip(said, on_step(1, 1), strict=True)]

    def say(self, picture, text):
        """An edit, a verdict or an answer, whichever is asked for."""
        if text.endswith(("Edit:", "Verdict:")):
            return '{"edit": "expose"}' if text.endswith("Edit:") else "keep"
        left, right = picture.convert("L").resize((2, 1), Image.Resampling.BOX).tobytes()
        return "left" if left < right else "right"

    def draw(self, prefixes, instructions, sampler, seeds, on_step, thoughts=()):
        """In as many steps as are wanted, each of which could be stopped after."""
        for step in range(sampler.steps):
            if not any(wanted := on_step(step + 1, sampler.steps)):
                break
        seen, by = [ImageEnhance.Contrast(one.picture) for one in prefixes], sampler.values["contrast"]
        return [one.enhance(by) if still else None for one, still in zip(seen, wanted, strict=True)]


def load(weights=""):
    """What `--model` names."""
    return Halves()
