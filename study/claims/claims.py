"""The claims of the paper, as data; `claims_page` puts them beside what a study finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..grid.arms import DIRECT

PAPER = "arXiv 2605.15792"
HOLDS, OPEN, REVERSED, UNTESTED = "holds", "is not shown", "is reversed", "cannot be tested"
"""What may be found of a claim."""
UNTAUGHT, CHANCE = "naive", "random"
"""Arms of a choice without training, and of no choice at all."""


@dataclass(frozen=True)
class Comparison:
    """One arm against another."""

    arm: str
    other: str
    says: str
    """What is compared, in words."""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper."""

    title: str
    paper: str
    """Its figure."""
    comparisons: Sequence[Comparison]
    """The first ones decide; the others stand beside them."""
    deciding: int = 1
    """How many decide: what all of them say."""
    sign: int = 1
    """1 where the first arm should be better, -1 where it should be worse."""
    figures: Sequence[str] = ()
    """Keys of `FIGURES`: what else belongs to it."""
    line: bool = False
    """Whether the line through the fidelity ladder stands beside what decided it."""
    remark: str = ""
    """What to bear in mind."""
    conclusions: Mapping[str, str] = field(default_factory=dict)
    """What we conclude, by what is found."""


CLAIMS: Sequence[Claim] = (
    Claim(
        "Models can imagine but do not know what to imagine",
        "no imagining 62.6, own prompts 63.4, prompts by GPT-4o-mini 64.9",
        (
            Comparison("gold-1", UNTAUGHT, "an edit known to help against a choice without training"),
            Comparison(UNTAUGHT, CHANCE, "a choice without training against chance"),
            Comparison(UNTAUGHT, DIRECT, "a choice without training against the original alone"),
            Comparison(CHANCE, DIRECT, "chance against the original alone"),
            Comparison("self-1-unjudged", UNTAUGHT, "what training of the choice brings"),
            Comparison("gold", "self-unjudged", "edits known to help against the model's own choice, as trained"),
        ),
        figures=("choices",),
        remark="A choice without training is the likeliest call after a prompt that `mini` was never taught; it was "
        "taught to read no other for this, so that its untaught choice says little of large models that can read any "
        "prompt. The edits that `gold` makes are those that the world knows of, as no photograph has them.",
        conclusions={
            HOLDS: "We agree, for a choice that nobody trained. It need not stay so: the rows below have what training "
            "of the choice brings, and what the trained choice still leaves.",
            OPEN: "We cannot say: known edits are not told from a choice without training.",
            REVERSED: "We disagree: a choice without training is better than the edits that are known to help.",
        },
    ),
    Claim(
        "Imagining helps",
        "+2.3 points on three benchmarks with prompts by GPT-4o-mini (62.6 to 64.9), +0.8 with its own",
        (
            Comparison("self", DIRECT, "the whole loop against the original alone"),
            Comparison("gold", DIRECT, "the edits that are known to help"),
            Comparison("gold", "self", "what the whole loop leaves on the table"),
            Comparison("self", "self-unjudged", "the loop's own verdict: what judging brings"),
            Comparison("twice", DIRECT, "the original twice: does a second picture help?"),
            Comparison("blank", DIRECT, "a grey picture"),
            Comparison("static", DIRECT, "a picture of noise"),
            Comparison("foreign", DIRECT, "the same edits of another picture"),
            Comparison("pillow", DIRECT, "plain image processing for the same edits"),
            Comparison("gold", "pillow", "what drawing brings over plain image processing"),
            Comparison("wrong", DIRECT, "an edit that is none of those known to help"),
            Comparison("gold-1", "random", "one edit that is known to help against one by chance: is it the choice?"),
            Comparison("true", "gold", "true results against drawings: what better drawing could still bring"),
        ),
        remark="A gain is imagining's own where the controls do not have it: a second picture, any picture, any edit. "
        "What plain image processing brings needs no model: automatic contrast undoes much of `dark` and `bright`.",
        conclusions={
            HOLDS: "We agree, for a model that was taught to imagine and pictures that need it.",
            OPEN: "We cannot say: the items are too few, or the gain is too small.",
            REVERSED: "We disagree: imagining costs answers here.",
        },
    ),
    Claim(
        "Fidelity bounds the gain",
        "R² of 0.27 between a judge's fidelity and accuracy, over sub-tasks",
        (
            Comparison("ladder-whole", "ladder-blur-4", "drawings as they are against blurred ones"),
            Comparison("ladder-whole", "ladder-noise-50", "against noisy ones"),
            Comparison("ladder-whole", "ladder-mix-75", "against ones that are mostly of another picture"),
        ),
        deciding=3,
        figures=("ladder",),
        line=True,
        remark="Fidelity is lowered on purpose here; the paper compares sub-tasks. Where an item needs two edits the "
        "second is drawn on the spoilt first.",
        conclusions={
            HOLDS: "We agree that worse drawings help less. We disagree that one measure of fidelity tells it all: at "
            "the same PSNR one way of lowering it costs far more than another, as the levels below show.",
            OPEN: "We cannot say.",
            REVERSED: "We disagree.",
        },
    ),
    Claim(
        "Families of edits help different tasks",
        "gains above 10 points on 3D height and illusions; reading of text falls",
        (),
        figures=("transfer",),
        remark="The mean over a family has all of its edits on all items, most of which the edit does not fit: gains "
        "are small, and intervals of tasks with few items are wide. What fits is told by the gold edits, above.",
    ),
    Claim(
        "Textual chain of thought hurts",
        "-4.8 points",
        (
            Comparison("chain-of-thought", DIRECT, "thinking in words before the answer"),
            Comparison("caption", DIRECT, "the instruction in words, in the place of the picture"),
        ),
        sign=-1,
        remark="`mini` cannot write a thought. The nearest that it can be given is the instruction in words, which it "
        "was never taught to read before a question.",
    ),
    Claim(
        "The thought beside the original beats the thought in its place",
        "+0.9 points for one fixed prompt (63.5 against 62.6)",
        (
            Comparison("gold", "gold-replace", "beside against in place of, with the edits that are known to help"),
            Comparison("fixed-concat", "fixed-replace", "the same with one fixed edit"),
            Comparison("self-unjudged", "self-replace", "the same with the model's own choice"),
            Comparison("gold", "gold-thought-first", "the original before the thought, or after it"),
        ),
        conclusions={
            HOLDS: "We agree.",
            OPEN: "We cannot confirm it: in the world a good thought holds all that the answer needs, so the original "
            "beside it has little to add.",
            REVERSED: "We disagree.",
        },
    ),
    Claim(
        "Giving the reader the latents of the drawer collapses",
        "-3.5 points (HallusionBench 50.9 to 42.2)",
        (Comparison("gold-latent", DIRECT, "picture and thought as the drawer sees them"),),
        sign=-1,
        remark="`mini` reads and draws from one and the same view, so that there is nothing to collapse; models with "
        "two views, such as BAGEL, run this arm.",
    ),
)
"""The claims: first what the paper is about, a choice that nobody trained; then the others in its order."""
