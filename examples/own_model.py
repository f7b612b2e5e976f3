"""A unified model of your own, whole: it finds the darker half of a picture or the darkest of several, by contrast.

g2u ask a.png b.png "Which is darker?" --model examples/own_model.py:load --set contrast=3
"""

from collections import namedtuple

from PIL import Image, ImageEnhance, ImageStat

from g2u.models.protocol import Capabilities, Identity, Reading
from g2u.models.settings import Setting

MARK = (255, 0, 255)  # the first pixel of its drawings, by which it tells them from what it is asked about
Seen = namedtuple("Seen", "images pictures nbytes")  # a prefix: what is known before anything is asked


class Halves:
    """Writes and draws, and declares no more than that."""

    key, prompt_set, identity = "halves", "mini", Identity(model="halves", weights="0" * 64, code="1.0")
    capabilities = Capabilities(
        edits="native", aspect="kept", same_weights=True, max_pictures=8, max_originals=4, max_batch=8,
        seeded=False, deterministic=True, prefix_cache=False,
        settings={"contrast": Setting(default=2.0, least=1.0, most=8.0, about="How much of it.")},
    )  # fmt: skip

    def extend(self, prefixes, segments, view="read"):
        """One picture more for each request."""
        seen = [[*(past.images if past else ()), one] for past, one in zip(prefixes, segments, strict=True)]
        return [Seen(images, len(images), nbytes=0) for images in seen]

    def read(self, prefixes, texts, max_tokens, on_step):
        """One word each, after the last words of the prompts in `prompts/mini`."""
        said = [Reading(self.say(seen.images, text), None, 1) for seen, text in zip(prefixes, texts, strict=True)]
        return [reading if wanted else None for reading, wanted in zip(said, on_step(1, 1), strict=True)]

    def say(self, images, text):
        """An edit, a verdict or an answer, whichever is asked for."""
        light = [ImageStat.Stat(one.convert("L")).mean[0] for one in images if one.getpixel((0, 0)) != MARK]
        darkest = light.index(min(light)) if light else 0
        if text.endswith("Edit:"):
            return f'{{"edit": "expose", "on": {darkest + 1}}}'
        left, right = images[-1].convert("L").resize((2, 1), Image.Resampling.BOX).tobytes()
        answer = ("first", "second", "third", "fourth")[darkest] if light[1:] else ("right", "left")[left < right]
        return "keep" if text.endswith("Verdict:") else answer

    def draw(self, prefixes, instructions, sampler, seeds, on_step, thoughts=()):
        """In as many steps as are wanted, each of which could be stopped after."""
        for step in range(sampler.steps):
            if not any(wanted := on_step(step + 1, sampler.steps)):
                break
        made = [ImageEnhance.Contrast(one.images[-1]).enhance(sampler.values["contrast"]) for one in prefixes]
        for one in made:
            one.putpixel((0, 0), MARK)
        return [one if still else None for one, still in zip(made, wanted, strict=True)]


def load(weights=""):
    """What `--model` names."""
    return Halves()
