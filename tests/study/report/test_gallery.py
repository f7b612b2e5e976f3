"""The gallery's data: what changed, what it is found by, each picture once, and never too much of it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from g2u.pictures.store import ImageStore
from g2u.state import Action
from g2u.study.grid.records import Mark
from g2u.study.report.cards import cards_of, pairs_of, side_of
from g2u.study.report.gallery import build_gallery
from g2u.study.report.thumbnails import LARGEST, MISSING, QUALITY, Thumbnails
from g2u.study.running.marking import marked
from g2u.study.running.results import Results
from g2u.study.tables.choices import shown_drawing
from tests.study.studies import HOSTILE, answer, drawing, make_study, turn


def data_of(results: Results, limit: int = 10**9) -> dict[str, Any]:
    store = ImageStore(results.folder / "pictures")
    gallery = build_gallery(cards_of(results), [store], limit)
    data: dict[str, Any] = json.loads(gallery.data)
    return data


def facet(data: dict[str, Any], name: str) -> dict[str, int]:
    """How many cards each value of a filter finds."""
    [place] = [place for place, facet in enumerate(data["facets"]) if facet["name"] == name]
    values = data["facets"][place]["values"]
    return {value: sum(number in card[2][place] for card in data["cards"]) for number, value in enumerate(values)}


def test_every_answer_is_compared_with_the_direct_one(tmp_path: Path) -> None:
    data = data_of(make_study(tmp_path))
    outcomes = {"fixed": 2, "broken": 2, "both right": 1 + 4, "both wrong": 2 + 4, "failed": 1}
    assert facet(data, "outcome") == outcomes
    assert facet(data, "task") == {"maze": 8, "shapes": 8}
    assert facet(data, "arm") == {"random": 8, "self": 8}
    assert facet(data, "edit") == {"deblur": 7, "expose": 8, "none": 1}
    assert facet(data, "verdict") == {"discard": 8, "keep": 7, "nothing drawn": 1}
    assert facet(data, "group.edit") == {"own group": 16}


def test_filters_have_an_order_and_few_enough_buttons(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=101)
    items = {
        name: item.model_copy(update={"groups": {"own": name, "task": "maze", "level": str(number % 12)}})
        for number, (name, item) in enumerate(results.items.items())
    }
    facets = {one["name"]: one["values"] for one in data_of(replace(results, items=items))["facets"]}
    assert list(facets) == ["outcome", "task", "level", "edit", "arm", "verdict", "seed", "wording"]
    assert facets["arm"] == ["self", "random"]
    assert facets["verdict"] == ["keep", "discard", "nothing drawn"]
    assert facets["level"] == [str(number) for number in range(12)]


def test_a_card_shows_the_last_thought_that_was_kept(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=1)
    [line] = [line for line in results.lines if line.arm == "self"]
    source, thought = line.rounds[0].source, line.rounds[0].thought
    assert thought
    actions: list[Action] = ["retry", "keep", "discard"]
    rounds = [turn(source, thought, number, action=action) for number, action in enumerate(actions, 1)]
    rounds.append(rounds[0].model_copy(update={"number": 4, "thought": None, "verdict": None}))
    assert shown_drawing(line.model_copy(update={"rounds": rounds})) == rounds[1]
    assert shown_drawing(line.model_copy(update={"rounds": [rounds[0], *rounds[2:]]})) == rounds[2]
    assert shown_drawing(line.model_copy(update={"rounds": rounds[3:]})) is None


def test_a_verdict_that_was_written_has_no_shares(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=1)
    line = results.by_arm["self"][0]
    first = line.rounds[0]
    assert first.verdict
    written = first.model_copy(update={"verdict": first.verdict.model_copy(update={"probabilities": {}})})
    shares = []
    for turn_ in (first, written):
        one = replace(results, lines=[line.model_copy(update={"rounds": [turn_]})])
        [(_, [[_, _, _, _, [round_], *_]])] = [(number, sides) for number, sides, _ in data_of(one)["cards"]]
        shares.append(round_[7][1])
    assert len(shares[0]) == 3 and shares[1] == []


def test_a_paraphrase_names_its_item(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=2)
    first, second = results.items.values()
    items = {first.id: first, second.id: second.model_copy(update={"paraphrase_of": first.id})}
    data = data_of(replace(results, items=items))
    assert facet(data, "wording") == {"other words": 2, "own words": 2}
    assert data["items"][1][5].endswith("; held-out/0 in other words")


def test_a_study_of_direct_answers_alone_shows_them(tmp_path: Path) -> None:
    results = make_study(tmp_path)
    study = results.header.study.model_copy(update={"arms": results.header.study.arms[:1]})
    lines = [line for line in results.lines if line.arm == "direct"]
    alone = Results(tmp_path, results.header.model_copy(update={"study": study}), results.items, lines)
    assert facet(data_of(alone), "outcome") == {"both right": 4, "both wrong": 4}


def test_nothing_is_compared_with_a_direct_answer_that_failed(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=4)
    lines = [
        line.model_copy(update={"answer": None, "error": "Lost."}) if line.arm == "direct" else line
        for line in results.lines
    ]
    assert facet(data_of(replace(results, lines=lines)), "outcome") == {"not compared": 8}


@pytest.mark.parametrize(("before", "right", "outcome"), [("blue", True, "fixed"), ("Red.", False, "broken")])
def test_without_a_direct_arm_the_direct_answer_of_the_line_counts(
    tmp_path: Path, before: str, right: bool, outcome: str
) -> None:
    results = make_study(tmp_path, items=1)
    said = {"answer": answer("red" if right else "blue"), "direct": answer(before), "marks": {}, "direct_marks": {}}
    line = results.lines[1].model_copy(update=said)
    line = asyncio.run(marked(line, results.items[line.item]))
    assert side_of(replace(results, lines=[line]), line, "").outcome == outcome


def test_a_picture_is_there_once_and_small(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=8, pictures=2)
    assert len(data_of(results)["pictures"]) == 4
    store = ImageStore(tmp_path / "pictures")
    large, small = store.add_image(Image.new("RGB", (1000, 500), "teal")), store.add_image(drawing(1, 160))
    thumbnails = Thumbnails([store])
    thumbnails.add([large.sha256, small.sha256, "0" * 64, large.sha256])
    shown = [Image.open(io.BytesIO(base64.b64decode(one.partition(",")[2]))) for one in thumbnails.addresses]
    assert [(one.format, one.size) for one in shown] == [("WEBP", (LARGEST, LARGEST // 2)), ("WEBP", (160, 160))]
    assert (thumbnails.number("0" * 64), thumbnails.missing) == (MISSING, 1)


def test_a_picture_is_as_good_as_it_is_said_to_be(tmp_path: Path) -> None:
    store, noise = ImageStore(tmp_path / "pictures"), np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    picture = Image.fromarray(noise)
    thumbnails = Thumbnails([store])
    thumbnails.add([store.add_image(picture).sha256])
    sizes = {}
    for quality in (QUALITY, 75):  # what Pillow takes where nobody says anything
        picture.save(buffer := io.BytesIO(), "WEBP", quality=quality, method=3)
        sizes[quality] = len(buffer.getvalue())
    (address,) = thumbnails.addresses
    assert len(base64.b64decode(address.partition(",")[2])) == sizes[QUALITY] != sizes[75]


def test_what_changed_comes_first_where_not_all_fits(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=400, pictures=4)
    whole = build_gallery(cards_of(results), [ImageStore(tmp_path / "pictures")])
    part = build_gallery(cards_of(results), [ImageStore(tmp_path / "pictures")], len(whole.data) // 3)
    assert whole.shown == whole.total == part.total == 800
    assert 200 < part.shown < 400 and len(part.data) <= len(whole.data) // 2
    data = json.loads(part.data)
    assert facet(data, "outcome")["fixed"] == facet(data, "outcome")["broken"] == 100
    tasks = facet(data, "task")
    assert min(tasks.values()) > 0.8 * max(tasks.values())


def test_no_text_can_end_the_element_of_the_data(tmp_path: Path) -> None:
    results = make_study(tmp_path, items=1)
    [item] = results.items.values()
    hostile = replace(results, items={item.id: item.model_copy(update={"question": HOSTILE + "\u2028"})})
    text = build_gallery(cards_of(hostile), [ImageStore(tmp_path / "pictures")]).data
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["items"][0][1] == HOSTILE + "\u2028"


def test_studies_are_paired_where_they_ask_the_same(tmp_path: Path) -> None:
    a, b = make_study(tmp_path / "a", items=4), make_study(tmp_path / "b", items=4)
    assert pairs_of(a, b) == ([], 12)
    flipped = [line.model_copy(update={"marks": {"scored": Mark(value=not line.right)}}) for line in b.lines]
    cards, paired = pairs_of(a, replace(b, lines=flipped))
    assert (len(cards), paired) == (12, 12)
    assert [card.outcome for card in cards if card.sides[0].line.arm == "self"] == [
        "A better", "B better", "A better", "B better",
    ]  # fmt: skip
    late = [line.model_copy(update={"marks": {"scored": Mark(unscored="No judge.")}}) for line in flipped]
    assert pairs_of(a, replace(b, lines=late)) == ([], 0)  # what has no value yet is no wrong answer
    other = {name: item.model_copy(update={"question": "Another?"}) for name, item in b.items.items()}
    assert pairs_of(a, replace(b, items=other, lines=flipped)) == ([], 0)
