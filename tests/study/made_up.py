"""Results as a study would leave them, without a model: exact ones by hand, and a whole plausible study by chance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from g2u.edits.library import Family
from g2u.engine.costs import Cost
from g2u.models.protocol import Identity
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Action, Answer, Decision, Round, Verdict
from g2u.study.grid.arms import Arm, Items, Study
from g2u.study.grid.records import Header, ItemRecord, Line, Mark
from g2u.study.running.results import Results

FAMILIES: Mapping[str, Family] = {
    "expose": "enhancement", "deblur": "enhancement", "upright": "extension", "trace_path": "structure", "none": "none",
}  # fmt: skip
GOLD = {
    "none": ["none"], "dark": ["expose"], "blur": ["deblur"], "blur+dark": ["expose", "deblur"], "turned": ["upright"],
    "untraced": ["trace_path"],
}  # fmt: skip
CELLS = (
    ("shapes", "none"), ("maze", "untraced"), ("writing", "turned"), ("shapes", "dark"),
    ("shapes", "blur"), ("writing", "none"), ("shapes", "blur+dark"), ("maze", "none"),
)  # fmt: skip
"""Tasks and faults of made-up items, in turn."""
OPTIONS = ["red", "blue", "green"]


def made_arms() -> list[Arm]:
    """One of each kind: the baseline, policies, twins, the sweep and the ladder."""
    once = {"reflect": False, "rounds": 1, "seeds": "first"}
    return [
        Arm.model_validate(values)
        for values in [
            {"name": "direct", "policy": "none", "seeds": "first"},
            {"name": "self"},
            {"name": "self-unjudged", "reflect": False},
            {"name": "self-one-round", "rounds": 1},
            {"name": "random", "policy": "random"},
            {"name": "oracle", "policy": "oracle", "reflect": False},
            *({"name": f"edit:{edit}", "policy": f"fixed:{edit}", **once} for edit in FAMILIES if edit != "none"),
            *(
                {"name": f"ladder:{db}", "set": "ladder", "drawer": f"level:{db}", "policy": "oracle", **once}
                for db in (12, 18, 24, 30)
            ),
        ]
    ]


def made_items(store: ImageStore, count: int, *, paraphrases: bool = False) -> list[ItemRecord]:
    """`count` items over `CELLS`, and each asked in other words where that is wanted."""
    records = []
    for number in range(count):
        task, fault = CELLS[number % len(CELLS)]
        record = make_item(
            store,
            f"held-out/{task}/{fault}/{number}",
            answer=OPTIONS[number % 3],
            gold_edits=GOLD[fault],
            groups={"source": "world", "task": task, "fault": fault},
        )
        records.append(record)
        if paraphrases:
            change = {"id": f"{record.id}/reworded", "question": "Say its colour.", "paraphrase_of": record.id}
            records.append(record.model_copy(update=change))
    return records


def make_item(
    store: ImageStore,
    name: str,
    *,
    answer: str = "red",
    gold_edits: list[str] | None = None,
    groups: dict[str, str] | None = None,
    paraphrase_of: str = "",
) -> ItemRecord:
    """An item about a real picture."""
    return ItemRecord(
        id=name,
        pictures=[picture(store, name)],
        question="What colour is the disc?",
        options=OPTIONS,
        answers=[answer],
        gold_edits=gold_edits,
        groups=groups or {},
        paraphrase_of=paraphrase_of,
    )


def picture(store: ImageStore, seed: str) -> ImageRef:
    """A disc on a ground, its colours by chance."""
    chance = random.Random(seed)
    ground, disc = (tuple(chance.randrange(256) for _ in range(3)) for _ in range(2))
    image = Image.new("RGB", (32, 24), ground)
    ImageDraw.Draw(image).ellipse((4, 2, 24, 22), fill=disc)
    return store.add_image(image)


def make_answer(text: str, sure: float = 0.9) -> Answer:
    """An answer of that probability; the other options share the rest."""
    rest = (1 - sure) / (len(OPTIONS) - 1)
    probabilities = {option: sure if option == text else rest for option in OPTIONS}
    return Answer(text=text, probabilities=probabilities, log_probability=-0.1, pictures=[], seconds=0.01)


def make_round(
    item: ItemRecord,
    number: int,
    edit: str,
    *,
    verdict: Action | None = None,
    keep: float = 0.8,
    attempts: int = 1,
    thought: ImageRef | None = None,
    policy: str = "self",
) -> Round:
    """A round with a drawing of that edit, judged where a verdict is given."""
    rest = (1 - keep) / 2
    sure: dict[Action, float] = {"keep": keep, "retry": rest, "discard": rest}
    return Round(
        number=number,
        source=item.pictures[0],
        decision=Decision(edit=edit, family=FAMILIES[edit], policy=policy, attempts=attempts),
        thought=None if edit == "none" else thought or item.pictures[0],
        verdict=Verdict(action=verdict, reason="", probabilities=sure, change=0.1) if verdict else None,
    )


def make_line(
    item: ItemRecord,
    arm: str,
    right: bool,
    *,
    seed: int = 0,
    rounds: Sequence[Round] = (),
    psnr: Sequence[float] = (),
    sure: float = 0.9,
    direct: bool | None = None,
) -> Line:
    """A line that is right or wrong, with the psnr of the drawing of each round; `direct`: is that answer right?"""
    wrong = next(option for option in OPTIONS if option != item.answer)
    plain = right if direct is None else direct
    return Line(
        arm=arm,
        item=item.id,
        seed=seed,
        marks={"scored": Mark(value=right)},
        direct_marks={"scored": Mark(value=plain)},
        answer=make_answer(item.answer if right else wrong, sure),
        direct=make_answer(item.answer if plain else wrong),
        rounds=list(rounds),
        fidelity={number: {"psnr": value, "ssim": value / 60} for number, value in enumerate(psnr, 1)},
        cost=Cost(drawings=len(psnr), tokens=12, seconds=0.5),
    )


def make_results(
    folder: Path,
    arms: Sequence[Arm],
    items: Sequence[ItemRecord],
    lines: Sequence[Line],
    *,
    seeds: int = 1,
    tried: int = 1,
) -> Results:
    """Put lines under a header, in the order that `Results` promises."""
    study = Study(name="made-up", arms=list(arms), items=Items(count=max(1, len(items))), seeds=seeds, tried=tried)
    header = Header(
        g2u="0.1.0",
        study=study,
        model=Identity(model="small", weights="0" * 64, code="0.1.0"),
        prompts={"edits.yaml": "1" * 64},
        items="2" * 64,
    )
    places = {name: place for place, name in enumerate([arm.name for arm in arms])}
    order = {item.id: place for place, item in enumerate(items)}
    lines = sorted(lines, key=lambda line: (places[line.arm], order[line.item], line.seed))
    return Results(folder=folder, header=header, items={item.id: item for item in items}, lines=lines)


def made_up(
    folder: Path,
    arms: Sequence[Arm] | None = None,
    items: Sequence[ItemRecord] | int = 24,
    seeds: int = 1,
    *,
    paraphrases: bool = False,
    tried: int = 1,
) -> Results:
    """A whole study by chance, the same each time: edits that fit help, faithful drawings more so.

    Every 29th line failed, and `edit:upright` is left out for one item in eight, as an edit that would give the answer
    away is.

    Args:
        folder: Its pictures are written to `folder / "pictures"`.
        arms: `made_arms()` where there are none given.
        items: Records whose pictures are in that store, or how many to make.
        seeds: Of the drawer.
        paraphrases: Ask every made item in other words too.
        tried: As in `Study`.
    """
    store = ImageStore(folder / "pictures")
    arms = made_arms() if arms is None else arms
    records = made_items(store, items, paraphrases=paraphrases) if isinstance(items, int) else items
    lines, count = [], 0
    for arm in arms:
        for item in records:
            for seed in range(seeds if arm.seeds == "all" else 1):
                count += 1
                if arm.name == "edit:upright" and item.id.endswith(("7", "7/reworded")):
                    lines.append(Line(arm=arm.name, item=item.id, seed=seed, left_out="The edit would name an option."))
                elif count % 29 == 0:
                    lines.append(Line(arm=arm.name, item=item.id, seed=seed, error="Out of memory."))
                else:
                    lines.append(_by_chance(store, arm, item, seed))
    return make_results(folder, arms, records, lines, seeds=seeds, tried=tried)


def with_every_table(results: Results) -> Results:
    """The same study with all that some table is about.

    Answers are written as well, every fifth of which names no option; items are in pairs; and an arm reads the drawings
    of the oracle in another way.
    """

    def read_twice(number: int, line: Line) -> Line:
        marks, direct = line.marks, line.direct_marks
        if line.answer is None:
            return line
        written = Mark(value=0.0) if number % 5 == 0 else marks["scored"].model_copy(update={"found": line.answer.text})
        change = {"marks": {**marks, "written": written}, "direct_marks": {**direct, "written": direct["scored"]}}
        return line.model_copy(update=change)

    own = [item for item in results.items.values() if not item.paraphrase_of]
    pairs = {item.id: f"pair {place // 2}" for place, item in enumerate(own)}
    items = {
        name: item.model_copy(update={"cluster": pairs[item.paraphrase_of or name]})
        for name, item in results.items.items()
    }
    lines = [read_twice(*one) for one in enumerate(results.lines)]
    arms = results.header.study.arms
    between = next(arm for arm in arms if arm.name == "oracle").model_copy(update={"name": "between"})
    study = results.header.study.model_copy(update={"arms": [*arms, between.model_copy(update={"fusion": "between"})]})
    lines += [line.model_copy(update={"arm": between.name}) for line in lines if line.arm == "oracle"]
    return replace(results, header=results.header.model_copy(update={"study": study}), items=items, lines=lines)


def _by_chance(store: ImageStore, arm: Arm, item: ItemRecord, seed: int) -> Line:
    chance = random.Random(f"{arm.name} {item.id} {seed}")
    direct = item.gold_edits in (None, ["none"]) or random.Random(item.id.removesuffix("/reworded")).random() < 0.4
    rounds: list[Round] = []
    psnr: list[float] = []
    helped, gold = False, item.gold_edits or ["none"]
    for number in range(1, arm.rounds + 1):
        wanted = gold[number - 1] if number <= len(gold) else "none"
        edit = _choice(arm, wanted, number, chance)
        level = float(arm.name.partition(":")[2]) if arm.set == "ladder" else 27.0
        near = min(60.0, max(5.0, chance.gauss(level, 4)))
        good = edit == wanted and near >= 24
        keep = min(0.99, max(0.01, chance.gauss(0.8 if good else 0.3, 0.2)))
        action: Action = "keep" if keep > 0.5 else "retry" if chance.random() < 0.7 else "discard"
        verdict = action if arm.reflect and edit != "none" else None
        thought = picture(store, f"{edit} {int(near / 10)}") if edit != "none" else None
        rounds.append(
            make_round(
                item,
                number,
                edit,
                verdict=verdict,
                keep=keep,
                attempts=1 + (chance.random() < 0.1),
                thought=thought,
                policy=arm.policy,
            )
        )
        if edit == "none":
            break
        psnr.append(near)
        helped = helped or (edit == wanted and chance.random() < (near - 5) / 25 and verdict in (None, "keep"))
        if verdict == "discard":
            break
    right = helped or (direct and chance.random() < 0.95) or chance.random() < 0.1
    sure = chance.uniform(0.6, 0.98)
    return make_line(item, arm.name, right, seed=seed, rounds=rounds, psnr=psnr, sure=sure, direct=direct)


def _choice(arm: Arm, wanted: str, number: int, chance: random.Random) -> str:
    head, _, edit = arm.policy.partition(":")
    if head == "fixed":
        return edit if number == 1 else "none"
    if head == "none":
        return "none"
    if head == "oracle" or (head != "random" and chance.random() < 0.7):
        return wanted
    return chance.choice([edit for edit in FAMILIES if head != "random" or edit != "none"])
