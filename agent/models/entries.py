"""What there is to know of each model before it is loaded: one row of data a model.

`g2u models`, the loaders' errors and the registry read the same rows.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .protocol import Capabilities, UnifiedModel

Loader = Callable[..., UnifiedModel]
"""Called as `load(weights=FOLDER)`, an empty folder meaning the model's own weights."""

Ability = Literal["reads", "several pictures", "edits", "reimagines", "scores", "thinks", "native", "maps"]
"""What a model can do, in the words of `g2u models`; see `ABILITIES`."""

ABILITIES: Final[Mapping[Ability, Callable[[Capabilities], bool]]] = {
    "reads": lambda able: True,
    "several pictures": lambda able: able.originals > 1,
    "edits": lambda able: able.edits == "native",
    "reimagines": lambda able: able.edits == "reimagine",
    "scores": lambda able: able.scores,
    "thinks": lambda able: able.thinks,
    "native": lambda able: able.native is not None,
    "maps": lambda able: "dense-maps" in able.skills,
}
"""Each ability, and which capabilities are one. `edits` draws from the picture itself and `reimagines` from a
description of it, `scores` compares given texts, `thinks` writes before it draws and answers, `native` draws where its
own text asks for it, `maps` draws masks, depth and normals."""

APACHE: Final = "Apache-2.0"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """How a model is listed and loaded."""

    key: str
    """The name that a user gives."""
    title: str
    """What it is, in one line."""
    loader: str | Loader
    """A `Loader`, or its place; empty for that of the entry point of the same name."""
    examiner: str = ""
    """Place of a `g2u.models.checks.Examiner`; empty where loading it is the test."""
    does: tuple[Ability, ...] = ()
    """What it can do: the abilities of what it declares, in the order of `ABILITIES`; empty where nobody knows before
    it is loaded."""
    licence: str = ""
    """Of its weights."""
    memory: str = ""
    """What it needs, about, in words."""
    repositories: tuple[str, ...] = ()
    """Of its weights on the Hugging Face hub, the one that `--weights` is about first."""
    source: str = ""
    """Where it comes from, in words; empty where the repositories say it."""
    compared: str = ""
    """What was compared with the official program, and how."""
    modules: tuple[str, ...] = ()
    """Names by which Python imports what it needs beside the packages of G2U itself."""

    @property
    def installed(self) -> str:
        """What of it is on this machine: `yes`, or what is there and what is not.

        Nothing is loaded, and nothing is asked of a network.
        """
        if lacking := [name for name in self.modules if importlib.util.find_spec(name) is None]:
            return f"no: the packages it needs are missing: {', '.join(lacking)}"
        if lacking := [name for name in self.repositories if not cached(name)]:
            return f"its code; of its weights name a folder by `--weights`, or get them: `hf download {lacking[0]}`"
        return "yes"


def cached(repository: str) -> Path | None:
    """The folder in which `hf download` left a repository of the Hugging Face hub; `None` where it has not.

    Args:
        repository: Such as `ByteDance-Seed/BAGEL-7B-MoT`; its main branch is meant.
    """
    from huggingface_hub import constants  # this module alone is quick to import, and knows what moves the cache

    home = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    try:
        folder = home / "snapshots" / (home / "refs" / "main").read_text("utf-8").strip()
    except OSError:
        return None
    return folder if folder.is_dir() else None


ENTRIES: Final = (
    ModelEntry(
        key="mini",
        title="The embedded model: a small unified transformer, trained in the picture world",
        loader="g2u.models.mini.load:load",
        does=("reads", "edits", "scores"),
        licence=APACHE,
        memory="any laptop",
        source="comes with G2U",
        compared="nothing: it has no other program",
    ),
    ModelEntry(
        key="bagel",
        title="BAGEL-7B-MoT from its official files",
        loader="g2u.models.bagel.load:load",
        examiner="g2u.models.bagel.needs:examine",
        does=("reads", "several pictures", "edits", "scores", "thinks"),
        licence=APACHE,
        memory="a GPU of 48 GB",
        repositories=("ByteDance-Seed/BAGEL-7B-MoT",),
        compared="a tiny checkpoint, quantity by quantity (`python -m g2u.models.bagel.check_golden`); not its weights",
    ),
    ModelEntry(
        key="bagel-float8",
        title="The same with its drawing expert rounded to eight bits: draws faster, and a little differently",
        loader="g2u.models.bagel.load:load_float8",
        examiner="g2u.models.bagel.needs:examine",
        does=("reads", "several pictures", "edits", "scores", "thinks"),
        licence=APACHE,
        memory="a GPU of 48 GB with products in eight bits",
        repositories=("ByteDance-Seed/BAGEL-7B-MoT",),
        compared="with `bagel` alone, from which it differs",
    ),
    ModelEntry(
        key="thinkmorph",
        title="ThinkMorph-7B, a BAGEL trained to think in pictures",
        loader="g2u.models.bagel.load:load_thinkmorph",
        examiner="g2u.models.bagel.needs:examine",
        does=("reads", "several pictures", "edits", "scores", "thinks", "native"),
        licence="see its page on the hub",
        memory="a GPU of 48 GB",
        repositories=("ThinkMorph/ThinkMorph-7B",),
        compared="its network as `bagel`; its own way of working was read, not run; not its weights",
    ),
    ModelEntry(
        key="sensenova-vision",
        title="SenseNova-Vision-7B-MoT, a BAGEL trained to draw masks, depth and normals",
        loader="g2u.models.bagel.load:load_sensenova",
        examiner="g2u.models.bagel.needs:examine",
        does=("reads", "several pictures", "edits", "scores", "thinks", "maps"),
        licence=APACHE,
        memory="a GPU of 48 GB",
        repositories=("sensenova/SenseNova-Vision-7B-MoT",),
        compared="its network as `bagel`; its samplers and prompts were read, not run; not its weights",
    ),
    ModelEntry(
        key="blip3o-8b",
        title="BLIP3o-8B from its official files: reads as Qwen2.5-VL, and draws anew what it has read",
        loader="g2u.models.blip3o.load:load",
        examiner="g2u.models.blip3o.needs:examine",
        does=("reads", "reimagines", "scores"),
        licence=APACHE,
        memory="a GPU of 40 GB",
        repositories=("BLIP3o/BLIP3o-Model-8B",),
        compared="a tiny checkpoint, quantity by quantity (`python -m g2u.models.blip3o.check_golden`); not its"
        " weights, and no drawing after an instruction, which its program does not make",
    ),
    ModelEntry(
        key="blip3o-4b",
        title="The smaller of the two, whose reader is that of Qwen2.5-VL-3B",
        loader="g2u.models.blip3o.load:load_4b",
        examiner="g2u.models.blip3o.needs:examine",
        does=("reads", "reimagines", "scores"),
        licence=APACHE,
        memory="a GPU of 24 GB",
        repositories=("BLIP3o/BLIP3o-Model-4B",),
        compared="as `blip3o-8b`, whose code it shares",
    ),
    ModelEntry(
        key="blip3o-next-edit",
        title="BLIP3o-NEXT-edit from its official files: draws on the picture itself, whose latents go in",
        loader="g2u.models.blip3o.next_edit.load:load",
        examiner="g2u.models.blip3o.next_edit.needs:examine",
        does=("reads", "edits", "scores"),
        licence="see its page on the hub",
        memory="a GPU of 16 GB",
        repositories=("BLIP3o/BLIP3o-NEXT-edit-VAE", "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers"),
        compared="nothing: its program was read, not run; a tiny checkpoint keeps to our own reading of it",
    ),
    ModelEntry(
        key="remote",
        title="Servers that read and draw, in OpenAI's form, from the environment or a YAML file (`--weights FILE`)",
        loader="g2u.models.remote.load:load",
        examiner="g2u.models.remote.needs:examine",
        does=("reads", "several pictures", "edits"),
        licence="of the models on the servers",
        memory="none here",
        source="servers of yours",
        compared="nothing: it has no other program; `g2u verify-server` tries what a server heeds",
    ),
    ModelEntry(
        key="pair",
        title="A reader of transformers with an editing pipeline of diffusers, from a YAML file (`--weights FILE`)",
        loader="g2u.models.pair.load:load",
        examiner="g2u.models.pair.needs:examine",
        does=("reads", "several pictures", "edits", "scores"),
        licence="of the reader and of the editor",
        memory="that of the reader and of the editor",
        source="folders of yours",
        compared="nothing: both parts are run by their own libraries",
    ),
    ModelEntry(
        key="janus",
        title="Janus-Pro-7B through transformers; it draws from texts alone, so here it reads only",
        loader="g2u.models.janus.load:load",
        examiner="g2u.models.janus.needs:examine",
        does=("reads", "scores"),
        licence="MIT code; DeepSeek Model License",
        memory="a GPU of 24 GB",
        repositories=("deepseek-community/Janus-Pro-7B",),
        compared="a tiny checkpoint with the library's own `generate` and logits; not its weights",
    ),
)
"""Every model that comes with G2U."""
