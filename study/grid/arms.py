"""Arms and studies as data: one fully specified way of answering each, and the grid that they span."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from g2u.state import Context, Fusion, Reading

DIRECT = "direct"
"""Name of the arm that every other one is compared with."""
AnswerReading = Literal["scored", "written"]
"""How an answer is read: the likeliest of the options, or what the model wrote."""
WORLD = "world"
"""The source whose pictures are made, not read."""
READINGS: tuple[AnswerReading, ...] = get_args(AnswerReading)
"""In the order in which they count: where a study has both, its tables rest on the first."""


class Arm(BaseModel):
    """One way of answering; only what it shows the reader may differ from other arms of its study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_:.=+-]*$")
    about: str = ""
    """What it is there to show, in a few words."""
    set: str = ""
    """Name of the built-in set that it comes from; empty for one of your own."""
    policy: str = "self"
    """Who picks the edit, see `Context.policy`."""
    drawer: str = "model"
    """Where the visual thought comes from: a key of `drawers.DRAWERS`, with `:ARGUMENT` where it takes one."""
    fusion: Fusion = "concat"
    reflect: bool = True
    rounds: int = 2
    steps: int | None = None
    preset: str = ""
    values: dict[str, bool | int | float | str] = {}
    """Settings of the model's own sampler, by name."""
    temperature: float = 0.0
    think: bool = False
    families: list[str] = []
    on: int | None = None
    """Number of the only picture that may be edited, of items with several; left out: any."""
    prompt: str = "answer"
    """Template of the reader; the same for all arms of a study."""
    max_tokens: int = 32
    """Tokens of a written answer at most; the same for all arms of a study."""
    seeds: Literal["all", "first"] = "all"
    """Whether it runs with every seed of the study; `first` for arms without chance or too many to repeat."""

    @property
    def chooses(self) -> bool:
        """Whether it picks an edit for each item by what it sees, so that a choice can be right or wrong."""
        return self.policy.partition(":")[0] not in ("none", "fixed", "random", "oracle", "wrong", "native")

    def context(self, study: Study, seed: int, store: str) -> Context:
        """The settings of one run of the graph."""
        return Context(
            model=study.model,
            weights=study.weights,
            policy=self.policy,
            fusion=self.fusion,
            reflect=self.reflect,
            rounds=self.rounds,
            seconds=study.seconds,
            steps=self.steps if self.steps is not None else study.steps,
            preset=self.preset,
            values=self.values,
            temperature=self.temperature,
            think=self.think,
            seed=seed,
            families=self.families,
            on=self.on,
            reader=self.prompt,
            max_tokens=self.max_tokens,
            reading=study.reading,
            store=store,
        )


class Items(BaseModel):
    """Which questions are asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | list[str] = "world"
    """`world`; a benchmark by its name or file, see `benchmarks.sources`; a JSON Lines file of own questions, see
    `own.read_items`; several of these, not the world, as a list; or empty for one still to be named."""
    split: str = "held-out"
    """Of the world: key of `SPLITS`."""
    count: int | None = Field(default=None, ge=1)
    """How many; of files the first ones, one of each in turn. Left out: 200 of the world, all of a file."""
    tasks: list[str] = []
    """Of the world; empty for all."""
    scorer: str = ""
    """Of the items of a file that name none, see `g2u.scoring.scorers`."""
    lenient: bool = False
    """Pass over the rows of benchmarks that cannot be asked, and count them."""
    paraphrases: bool = False
    """Ask each question in other words as well, where there are any."""

    @field_validator("source")
    @classmethod
    def _apart(cls, value: str | list[str]) -> str | list[str]:
        if isinstance(value, str):
            return value
        if not all(value) or not value:
            raise ValueError("each source needs a name")
        if WORLD in value and len(value) > 1:
            raise ValueError(
                "the world stands for itself; to mix it with others, write it as a file: `g2u world export`"
            )
        return value[0] if len(value) == 1 else value

    @property
    def sources(self) -> list[str]:
        """All sources; none where they are still to be named."""
        return [self.source] if self.source and isinstance(self.source, str) else list(self.source)

    @property
    def of_world(self) -> bool:
        """Whether they are the world's, of which everything is known."""
        return self.source == WORLD

    @property
    def told(self) -> str:
        """The sources in a sentence."""
        return ", ".join(self.sources)


class Study(BaseModel):
    """A grid of arms, items and seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "study"
    about: str = ""
    model: str = "mini"
    weights: str = ""
    """Folder of weights; empty for the model's own."""
    arms: list[Arm] = Field(min_length=1)
    items: Items = Items()
    seeds: int = Field(default=1, ge=1, le=100)
    """Seeds of the drawer: 0, 1, ..."""
    reading: Reading = "scored"
    """How questions with options are answered; with `both` the tables rest on the likeliest option and show what the
    model wrote beside it."""
    steps: int | None = None
    """Sampler steps per drawing, where an arm names none."""
    seconds: float = 600.0
    """Of each answer at most."""
    tried: int = Field(default=1, ge=1)
    """Variants that were compared on a development split before this study was fixed; see `selection`."""

    @model_validator(mode="after")
    def _is_fair(self) -> Self:
        names = [arm.name for arm in self.arms]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two arms are called {twice!r}")
        for field in ("prompt", "max_tokens"):
            values: dict[Any, str] = {}
            for arm in self.arms:
                values.setdefault(getattr(arm, field), arm.name)
            if len(values) > 1:
                told = ", ".join(f"{value!r} in {name!r}" for value, name in values.items())
                raise ValueError(f"all arms need the same {field}, and there are {told}")
        return self
