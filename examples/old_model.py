"""A model for a worker process: its environment has Pillow and whatever the model needs, and not G2U.

It is written as examples/own_model.py is, with dictionaries in the place of G2U's own values, and named by
examples/worker_model.py.
"""

import PIL
from PIL import ImageOps

IDENTITY = {"model": "balanced", "weights": "0" * 64, "code": f"1.0, Pillow {PIL.__version__}"}
CAPABILITIES = {
    "edits": "native", "aspect": "kept", "same_weights": True, "max_pictures": 2, "max_batch": 8, "seeded": False,
    "deterministic": True, "prefix_cache": True,
    "settings": {"cutoff": {"default": 2.0, "least": 0.0, "most": 40.0, "about": "Percent cut from each end."}},
}  # fmt: skip


class Seen:
    """A prefix: what is known of a picture before anything is asked about it, here the picture itself."""

    def __init__(self, picture, pictures):
        """Both counts are part of the protocol."""
        self.picture, self.pictures, self.nbytes = picture, pictures, 3 * picture.width * picture.height


class Balanced:
    """Finds the darker half of a picture, and draws it with its contrast spread."""

    key, prompt_set, identity, capabilities = "balanced", "mini", IDENTITY, CAPABILITIES

    def extend(self, prefixes, segments, view="read"):
        """One picture more for each request."""
        counts = [past.pictures + 1 if past else 1 for past in prefixes]
        return [Seen(picture, count) for picture, count in zip(segments, counts, strict=True)]

    def read(self, prefixes, texts, max_tokens, on_step):
        """A reading is a dictionary; None for a request that nobody waits for any more."""
        said = [self.say(seen.picture, text) for seen, text in zip(prefixes, texts, strict=True)]
        readings = [{"text": text, "log_probability": None, "tokens": 1} for text in said]
        return [reading if wanted else None for reading, wanted in zip(readings, on_step(1, 1), strict=True)]

    def say(self, picture, text):
        """An edit, a verdict or an answer, whichever is asked for."""
        if text.endswith(("Edit:", "Verdict:")):
            return '{"edit": "expose"}' if text.endswith("Edit:") else "keep"
        left, right = picture.convert("L").resize((2, 1)).tobytes()
        return "left" if left < right else "right"

    def draw(self, prefixes, instructions, sampler, seeds, on_step, thoughts=()):
        """In one step for each that is wanted, each of which could be stopped after."""
        for step in range(sampler.steps):
            if not any(wanted := on_step(step + 1, sampler.steps)):
                break
        drawn = [ImageOps.autocontrast(seen.picture, sampler.values["cutoff"]) for seen in prefixes]
        return [picture if still else None for picture, still in zip(drawn, wanted, strict=True)]


def load(weights=""):
    """What examples/worker_model.py names."""
    return Balanced()
