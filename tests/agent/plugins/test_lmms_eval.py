"""The model of lmms-eval, as far as it goes without the kit; `test_lmms_eval_runs.py` runs it inside the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from g2u.errors import CapabilityError, G2UError, MissingExtraError, QuestionError, SettingError, UnknownNameError
from g2u.extensions import installed
from g2u.plugins.lmms_eval.answering import Answerer, Item
from g2u.plugins.lmms_eval.asked import Asked, asked_in
from g2u.plugins.lmms_eval.keeping import Folder, Place
from g2u.plugins.lmms_eval.settings import settings_of
from tests.scripted import ScriptedModel

GIVEN = {"model": "scripted"}


async def answerer(tmp_path: Path, **given: Any) -> Answerer:
    settings = settings_of(GIVEN | {"out": str(tmp_path / "out")} | given)
    found = Answerer(settings, Folder(settings.out))
    await found.load()
    return found


def item(found: Answerer, *colours: str, instruction: str = "Draw it.", again: int = 0) -> Item:
    store = found.folder.store
    pictures = [store.add_image(Image.new("RGB", (16, 16), colour)) for colour in colours]
    place = Place("task", "test", 3, again)
    return Item(place=place, asked=Asked("Which colour? A. red B. blue", instruction), pictures=pictures)


@pytest.mark.parametrize("between", ["", "\n"])
def test_both_parts_of_a_text_are_found(between: str) -> None:
    text = f"[GEN_PROMPT] Mark it:\n{{question}}[/GEN_PROMPT]{between}[QUESTION]Which\none?\n[/QUESTION]"
    assert asked_in(text) == Asked("Which\none?", "Mark it:\nWhich\none?")


def test_a_text_without_parts_is_the_question() -> None:
    assert asked_in(" Which one?\nA. red\n") == Asked("Which one?\nA. red", "")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("[QUESTION]Which?[/QUESTION]", "GEN_PROMPT"),
        ("[GEN_PROMPT]Mark it.[/GEN_PROMPT]Which?", "QUESTION"),
        ("[GEN_PROMPT]Mark it.[/GEN_PROMPT][QUESTION] [/QUESTION]", "QUESTION"),
    ],
)
def test_half_a_text_is_refused(text: str, missing: str) -> None:
    with pytest.raises(QuestionError, match=rf"no \[{missing}\]"):
        asked_in(text)


def test_arguments_are_read_as_the_kit_parses_them() -> None:
    found = settings_of(
        {
            "mode": "agent",
            "seed": 3.0,
            "temperature": 0,
            "families": '["structure"]',
            "values": '{"cfg": 2}',
            "think": True,
        }
    )
    context = found.context
    assert (found.mode, context.seed, context.families, context.values) == ("agent", 3, ["structure"], {"cfg": 2})
    assert (context.max_tokens, context.reading, found.until) == (1024, "written", "ignored")


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({"mode": "both"}, UnknownNameError, "both"),
        ({"until": "never"}, UnknownNameError, "never"),
        ({"modle": "mini"}, UnknownNameError, "modle"),
        ({"policy": "slef"}, UnknownNameError, "slef"),
        ({"pause": "both"}, SettingError, "nobody is there"),
        ({"seed": "three"}, SettingError, "seed"),
        ({"out": 5}, SettingError, "out"),
        ({"max_tokens": 0}, G2UError, "tokens"),
    ],
)
def test_arguments_that_cannot_be_are_refused(given: dict[str, Any], kind: type[G2UError], told: str) -> None:
    with pytest.raises(kind, match=told):
        settings_of(given)


async def test_every_mode_sees_all_pictures_and_asks_the_same(model: ScriptedModel, tmp_path: Path) -> None:
    model.capabilities = model.declaring(max_pictures=4).capabilities
    seen = {}
    for mode in ("direct", "thought", "agent"):
        found = await answerer(tmp_path / mode, mode=mode, policy="fixed:deblur", reflect=False)
        one = item(found, "red", "blue")
        model.calls.clear()
        answer, imagined = await found.reply(one)
        reads = model.of("read")
        seen[mode] = [ref.sha256 for ref in answer.pictures], {text for call in reads for text in call.texts}
        assert seen[mode][0][:2] == [ref.sha256 for ref in one.pictures]
        assert [ref.sha256 for ref in imagined.drawings] == seen[mode][0][2:]
    assert [len(pictures) for pictures, _ in seen.values()] == [2, 3, 3]
    assert seen["direct"][1] == seen["thought"][1] == seen["agent"][1]  # the prompt of the reply


async def test_a_drawing_is_of_the_last_picture_after_all_others(model: ScriptedModel, tmp_path: Path) -> None:
    found = await answerer(tmp_path, mode="thought")
    _, imagined = await found.reply(item(found, "red", "blue"))
    [call] = model.of("draw")
    assert (call.texts, call.pictures) == (("Draw it.",), (2,))
    assert found.folder.store.open(imagined.drawings[0]).getpixel((3, 3)) == (255, 255, 0)  # the negative of blue
    found = await answerer(tmp_path, mode="thought", on=1)
    _, imagined = await found.reply(item(found, "red", "blue"))
    assert model.of("draw")[1].pictures == (1,)
    assert found.folder.store.open(imagined.drawings[0]).getpixel((3, 3)) == (0, 255, 255)


async def test_a_task_without_a_drawing_prompt_gets_one(model: ScriptedModel, tmp_path: Path) -> None:
    for given, expected in (({}, "Draw on this picture"), ({"instruction": "Mark: {question}"}, "Mark: Which colour?")):
        found = await answerer(tmp_path, mode="thought", **given)
        await found.reply(item(found, "red", instruction=""))
        [text] = model.of("draw")[-1].texts
        assert text.startswith(expected) and "Which colour?" in text


async def test_a_reply_that_is_wanted_again_has_a_seed_of_its_own(model: ScriptedModel, tmp_path: Path) -> None:
    seeds: list[int] = []
    model.draw_script = lambda image, instruction, seed: seeds.append(seed) or image
    found = await answerer(tmp_path, mode="thought")
    for again in (0, 1, 0):
        await found.reply(item(found, "red", again=again))
    assert seeds[0] == seeds[2] != seeds[1]


async def test_texts_are_compared_after_what_was_imagined(model: ScriptedModel, tmp_path: Path) -> None:
    for mode, pictures in (("direct", 1), ("thought", 2), ("agent", 2)):
        found = await answerer(tmp_path / mode, mode=mode, policy="fixed:deblur", reflect=False)
        model.calls.clear()
        scores, greedy, _ = await found.score(item(found, "red"), ["plum", "teal"])
        assert scores == [-1.0, -2.0] and greedy == [pictures == 1, pictures == 2]
        assert model.of("score")[-1].pictures == (pictures,)


@pytest.mark.parametrize(
    ("changes", "colours", "told"),
    [
        ({"max_originals": 1}, ("red", "blue"), "one picture a question"),
        ({}, ("red", "blue", "green"), "takes 3 pictures"),
        ({"instructions": frozenset(["Remove the blur."])}, ("red",), "draws only what it was taught"),
    ],
)
async def test_what_a_model_cannot_do_is_refused(
    model: ScriptedModel, tmp_path: Path, changes: dict[str, Any], colours: tuple[str, ...], told: str
) -> None:
    model.capabilities = model.declaring(**changes).capabilities
    found = await answerer(tmp_path, mode="thought")
    with pytest.raises(CapabilityError, match=told):
        await found.reply(item(found, *colours))
    assert not model.of("draw")


async def test_a_model_that_cannot_draw_has_one_mode(model: ScriptedModel, tmp_path: Path) -> None:
    model.capabilities = model.declaring(edits="none").capabilities
    await answerer(tmp_path, mode="direct")
    with pytest.raises(CapabilityError, match="cannot draw"):
        await answerer(tmp_path, mode="thought")


async def test_a_folder_is_of_one_run(model: ScriptedModel, tmp_path: Path) -> None:
    found = await answerer(tmp_path, mode="thought")
    for _ in range(2):  # the same run may go on
        found.folder.begin(found.settings, found.model)
    other = await answerer(tmp_path, mode="thought", seed=1)
    with pytest.raises(SettingError, match=r"settings\.seed"):
        other.folder.begin(other.settings, other.model)
    assert json.loads((tmp_path / "out/g2u.json").read_text())["settings"]["seed"] == 0


def test_names_of_tasks_are_no_paths() -> None:
    place = Place("../up", "..", 7, again=1, round=2)
    assert place.path == Path("..%2Fup", "%2E%2E", "7-2", "round-2")


def test_the_entry_point_imports_nothing_heavy() -> None:
    assert installed("lmms_eval.models") == {"g2u": "g2u.plugins.lmms_eval:manifest"}
    code = (
        "import sys, g2u.plugins.lmms_eval; sys.exit(any(name in sys.modules for name in ('torch', 'langchain_core')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_the_kit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmms_eval.api.instance", None)
    monkeypatch.delitem(sys.modules, "g2u.plugins.lmms_eval.model", raising=False)
    with pytest.raises(MissingExtraError, match=r"g2u\[lmms\]"):
        __import__("g2u.plugins.lmms_eval.model")
