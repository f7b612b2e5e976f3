"""Models for a worker process: they need Pillow alone, and declare everything."""

import hashlib
import importlib.util
import math
import os
import random
import signal
import sys
import time

from PIL import Image

WORDS = ("red", "blue", "yes", "no", "it", "is", "dark", "here")
KNOWN = {"where", "is", "the", "which", "colour", "what", "to", "be", "seen"}
STOP = 0.25
IDENTITY = {"model": "plain", "weights": "0" * 64, "code": "1", "settings": ("slow",)}
CAPABILITIES = {
    "edits": "native",
    "presets": {"plain": 2, "fine": 4},
    "settings": {
        "strength": {"default": 0.5, "least": 0.0, "most": 1.0},
        "flip": {"default": False},
        "mode": {"default": "blend", "choices": ("blend", "only")},
    },
    "preset_values": {"fine": {"strength": 0.25}},
    "max_pictures": 3,
    "text_segments": True,
    "drawing_view": True,
    "thinks": True,
    "aspect": "kept",
    "same_weights": True,
    "max_batch": 4,
    "previews": True,
    "scores": True,
    "log_probabilities": True,
    "temperature": True,
    "domain": True,
    "closed_vocabulary": True,
    "deterministic": True,
    "prefix_cache": True,
}


class Seen:
    """Segments, and the view in which they are seen."""

    living = 0

    def __init__(self, segments, view):
        self.segments, self.view = segments, view
        self.pictures = sum(isinstance(part, Image.Image) for part in segments)
        self.nbytes = 1000
        parts = (part.encode() if isinstance(part, str) else part.tobytes() for part in segments)
        self.digest = int.from_bytes(hashlib.sha256(view.encode() + b"".join(parts)).digest()[:4], "big")
        Seen.living += 1

    def __del__(self):
        Seen.living -= 1


class Plain:
    """Keeps to all of the protocol, with dictionaries in the place of G2U's own values."""

    key, prompt_set = "plain", "bagel"
    identity, capabilities = IDENTITY, CAPABILITIES

    def extend(self, prefixes, segments, view="read"):
        return [Seen((*(past.segments if past else ()), part), view) for past, part in pairs(prefixes, segments)]

    def read(self, prefixes, texts, max_tokens, on_step, temperature=0.0, seeds=()):
        said, sums = [[] for _ in texts], [0.0] * len(texts)
        ended, wanted = [False] * len(texts), [True] * len(texts)
        for step in range(max_tokens):
            for row, (seen, text) in enumerate(pairs(prefixes, texts)):
                if ended[row]:
                    continue
                if step > seen.digest % 4:
                    ended[row], sums[row] = True, sums[row] + math.log(STOP)
                    continue
                shares = self.shares(seen, text, step)
                best = shares.index(max(shares))
                if temperature:
                    warm = [share ** (1 / temperature) for share in shares]
                    best = random.Random(f"{seeds[row]} {step}").choices(range(len(WORDS)), warm)[0]
                said[row].append(WORDS[best])
                sums[row] += math.log(shares[best] * (1 - STOP))
            wanted = on_step(step + 1, max_tokens)
            if all(ended) or not any(wanted):
                break
        return [
            {"text": " ".join(words), "log_probability": sums[row], "tokens": len(words) + ended[row]}
            if wanted[row]
            else None
            for row, words in enumerate(said)
        ]

    def shares(self, seen, text, number):
        chance = random.Random(f"{seen.digest} {text} {number}")
        weights = [0.1 + chance.random() for _ in WORDS]
        return [weight / sum(weights) for weight in weights]

    def score(self, prefixes, texts, options):
        return [
            [self.log_probability(seen, text, option.split()) for option in chosen]
            for (seen, text), chosen in pairs(pairs(prefixes, texts), options)
        ]

    def log_probability(self, seen, text, words):
        found = [self.shares(seen, text, number) for number in range(len(words))]
        known = [shares[WORDS.index(word)] if word in WORDS else 1e-9 for shares, word in pairs(found, words)]
        return math.fsum(math.log(share * (1 - STOP)) for share in known) + math.log(STOP)

    def count_tokens(self, option):
        return len(option.split()) + 1

    def unknown_words(self, text):
        return [word for word in text.lower().replace("?", "").split() if word not in KNOWN]

    def out_of_domain(self, prefix):
        return prefix.digest % 100 / 100

    def draw(self, prefixes, instructions, sampler, seeds, on_step, thoughts=(), previews=()):
        for step in range(1, sampler.steps + 1):
            for row, preview in enumerate(previews):
                if preview:
                    preview(step, sampler.steps, self.noisy(prefixes[row], sampler, seeds[row]))
            wanted = on_step(step, sampler.steps)
            if not any(wanted):
                break
        return [self.noisy(seen, sampler, seeds[row]) if wanted[row] else None for row, seen in enumerate(prefixes)]

    def noisy(self, seen, sampler, seed):
        source, values = seen.segments[-1], sampler.values
        noise = Image.frombytes("RGB", source.size, random.Random(seed).randbytes(source.width * source.height * 3))
        made = Image.blend(source, noise, values["strength"])
        made = noise if values["mode"] == "only" else made
        return made.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if values["flip"] else made


class PictureError(ValueError):
    """Called as that of G2U."""


class OutOfMemoryError(RuntimeError):
    """Called as that of torch."""


class Troubled(Plain):
    """Does what its text tells it to."""

    def __init__(self, weights):
        self.weights = weights

    def read(self, prefixes, texts, max_tokens, on_step, temperature=0.0, seeds=()):
        for text in texts:
            if text.startswith("Do:"):
                said = getattr(self, text.split()[1])(on_step, *text.split()[2:], rows=len(texts))
                return [{"text": str(said), "log_probability": -1.0, "tokens": 1} for _ in texts]
        return super().read(prefixes, texts, max_tokens, on_step, temperature, seeds)

    def living(self, on_step, rows):
        return Seen.living

    def die(self, on_step, rows):
        on_step(1, 3)
        print("about to die")
        os.kill(os.getpid(), signal.SIGKILL)

    def leave(self, on_step, rows):
        sys.exit(7)

    def hang(self, on_step, place, rows):
        on_step(1, 3)
        with open(place, "w") as file:
            file.write("hangs")
        while True:
            time.sleep(0.01)

    def fail(self, on_step, rows):
        raise KeyError("token")

    def refuse(self, on_step, rows):
        raise PictureError("The picture is too narrow.")

    def narrow(self, on_step, rows):
        if rows > 1:
            raise OutOfMemoryError("no room for " + str(rows))
        return "room for one"

    def shout(self, on_step, rows):
        print("loud")
        print("louder", file=sys.stderr)
        return "done"

    def count(self, on_step, rows):
        """Steps that were told before nobody waited any more."""
        try:
            for done in range(1, 100):
                if not any(on_step(done, 100)):
                    break
        except Exception:  # as careless models do
            return "swallowed"
        return done

    def fork(self, on_step, rows):
        """A process of the model's own that outlives it."""
        child = os.fork()
        if child == 0:
            time.sleep(600)
        return child

    def find(self, on_step, *names, rows):
        """Which of these modules can be imported."""
        return [name for name in names if importlib.util.find_spec(name)]


def pairs(one, other):
    return list(zip(one, other, strict=True))


def load(weights=""):
    return Plain()


def load_troubled(weights=""):
    return Troubled(weights)


def load_failing(weights=""):
    raise PictureError("no weights in " + weights)


def load_dying(weights=""):
    os.kill(os.getpid(), signal.SIGKILL)


def load_other_each_time(weights=""):
    model = Troubled(weights)
    model.identity = dict(IDENTITY, code=str(os.getpid()))
    return model


def load_unheard(weights=""):
    model = Plain()
    model.capabilities = dict(CAPABILITIES, flies=True)
    return model


def load_wrong(weights=""):
    model = Plain()
    model.capabilities = dict(CAPABILITIES, max_batch="many")
    return model


def load_scoreless(weights=""):
    model = Plain()
    model.score = None
    return model


def load_odd(weights=""):
    """Gives what is none of the protocol's."""
    model = Plain()
    model.draw = lambda prefixes, *more: [Image.new("RGBA", (4, 4))] * len(prefixes)
    model.read = lambda prefixes, *more: ["just words"] * len(prefixes)
    model.extend = lambda prefixes, *more: [object()] * len(prefixes)
    model.score = lambda *more: object()
    return model
