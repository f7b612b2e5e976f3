"""Instructions in somebody's own words: the model's, or those of a chat model."""

import base64
import io
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableLambda
from PIL import Image

import g2u
from g2u.asking import Run, aask
from g2u.edits.library import EditCall, EditLibrary
from g2u.edits.menu import Menu
from g2u.engine.engine import Engine
from g2u.engine.registry import register_engine
from g2u.errors import CapabilityError, DeadlineError, MissingExtraError, SettingError, UnknownNameError, WriterError
from g2u.loop.deciding import writers
from g2u.loop.deciding.policies import check_policy
from g2u.loop.deciding.writers import MAX_TOKENS, register_writer
from g2u.state import Context
from g2u.traces.trace import read_trace
from tests.scripted import ScriptedModel
from tests.situations import choose, close_engines, says, situation  # noqa: F401
from tests.waiting import HUNG

LIBRARY = EditLibrary.load()
MENU = Menu(library=LIBRARY, options=["pink", "teal"])
INSTRUCTION = "Draw an arrow at each gate."


@pytest.fixture(autouse=True)
def no_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_WRITERS", {})


class Chat:
    """A real chat model of LangChain that gives one reply after the other, and what it was asked."""

    def __init__(self, *replies: str, name: str = "fake") -> None:
        model = GenericFakeChatModel(messages=iter([AIMessage(reply) for reply in replies]))
        self.asked: list[tuple[str, dict[str, Any]]] = []

        def ask(messages: list[BaseMessage]) -> BaseMessage:
            text, picture = messages[0].content_blocks
            self.asked.append((text["text"], dict(picture)))  # type: ignore[typeddict-item]
            return model.invoke(messages)

        register_writer(name, RunnableLambda(ask))


async def test_a_chat_model_sees_picture_stem_and_examples(tmp_path: Path) -> None:
    chat = Chat(f'"{INSTRUCTION}"\n')
    one = situation(tmp_path, policy="writer:fake", menu=MENU, tried=[EditCall(edit="deblur")], shade=9)
    decision = await choose(one)
    assert (decision.edit, decision.family, decision.arguments) == ("written", "written", {"instruction": INSTRUCTION})
    assert (decision.instruction, decision.policy, decision.attempts) == (INSTRUCTION, "writer:fake", 1)
    assert decision.reason == "The writer's own words."
    ((text, picture),) = chat.asked
    assert "Question: Which exit?" in text and "pink" not in text and "teal" not in text
    assert text.count("Question: ") == 8 and "did not help:\n- deblur" in text
    assert (picture["type"], picture["mime_type"]) == ("image", "image/png")
    with Image.open(io.BytesIO(base64.b64decode(picture["base64"]))) as image:
        assert image.getpixel((0, 0)) == (9, 0, 0)


async def test_a_reply_that_cannot_be_used_is_asked_again(tmp_path: Path) -> None:
    chat = Chat("Make the pink gate glow.", "", INSTRUCTION)
    decision = await choose(situation(tmp_path, policy="writer:fake", menu=MENU))
    assert (decision.instruction, decision.attempts) == (INSTRUCTION, 3)
    first, second, third = (text for text, _ in chat.asked)
    assert "could not be used" not in first
    assert "It may name an answer" in second and "pink" not in second
    assert "at least 1 character" in third


async def test_a_writer_that_only_leaks_is_given_up(tmp_path: Path) -> None:
    Chat(*["Make the teal gate glow."] * 3)
    decision = await choose(situation(tmp_path, policy="writer:fake", menu=MENU))
    assert (decision.edit, decision.attempts) == ("none", 3)
    assert decision.reason.startswith("In 3 attempts the writer made no call that can be made. The last error: It may")


@pytest.mark.parametrize("reply", ["none", "None.", ' "none" '])
async def test_a_writer_may_want_nothing(tmp_path: Path, reply: str) -> None:
    Chat(reply)
    decision = await choose(situation(tmp_path, policy="writer:fake", menu=MENU))
    assert (decision.edit, decision.instruction, decision.attempts) == ("none", "", 1)


async def test_a_writer_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    def fail(messages: object) -> BaseMessage:
        raise ConnectionError("no route to host\nand much more")

    register_writer("broken", RunnableLambda(fail))
    with pytest.raises(WriterError, match=r"'broken' gave no reply: no route to host\.$"):
        await choose(situation(tmp_path, policy="writer:broken"))


async def test_a_slow_writer_meets_the_deadline(tmp_path: Path) -> None:
    missed = threading.Event()

    def wait(messages: object) -> BaseMessage:
        assert missed.wait(HUNG)
        return AIMessage(INSTRUCTION)

    register_writer("slow", RunnableLambda(wait))
    with pytest.raises(DeadlineError, match="before the writer was done"):
        await choose(situation(tmp_path, policy="writer:slow", deadline=time.monotonic() + 0.05))
    missed.set()


async def test_the_model_writes_in_its_own_words(tmp_path: Path) -> None:
    model = says("Make the teal gate glow.", INSTRUCTION)
    tried = [EditCall(edit="written", arguments={"instruction": "Make it bright."})]
    decision = await choose(situation(tmp_path, model, policy="own-words", prompt_set="bagel", menu=MENU, tried=tried))
    assert (decision.edit, decision.instruction, decision.attempts) == ("written", INSTRUCTION, 2)
    assert decision.reason == "The model's own words."
    first, second = (call.texts[0] for call in model.of("read"))
    assert "Which exit?" in first and "- Make it bright." in first and "teal" not in first
    assert "Your last reply could not be used. It may name an answer." in second
    assert MAX_TOKENS > 32  # as many as a sentence needs


# How a chat model is found.


def test_what_is_handed_over_must_be_a_chat_model() -> None:
    for name, given in (("x", "gpt"), ("", GenericFakeChatModel(messages=iter([])))):
        with pytest.raises(SettingError, match="no name and chat model"):
            g2u.register_writer(name, given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["fak", "", "openai:", ":gpt"])
def test_an_unknown_writer_is_refused(name: str) -> None:
    register_writer("fake", GenericFakeChatModel(messages=iter([])))
    with pytest.raises(UnknownNameError, match="There is no writer called"):
        check_policy(f"writer:{name}", MENU, [])
    check_policy("writer:fake", MENU, [])


def test_a_named_provider_needs_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(MissingExtraError, match=r"'writer:openai:gpt' needs langchain.*g2u\[writer\]"):
        check_policy("writer:openai:gpt", MENU, [])


@pytest.fixture
def langchain(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Stands in for LangChain: makes one provider's models and counts them."""
    made: list[tuple[str, str]] = []

    def init_chat_model(model: str, *, model_provider: str) -> GenericFakeChatModel:
        made.append((model_provider, model))
        if model_provider != "openai":
            raise ImportError("Could not import langchain_other.\nPlease install it")
        return GenericFakeChatModel(messages=iter([AIMessage(INSTRUCTION)]))

    module = ModuleType("langchain.chat_models")
    module.init_chat_model = init_chat_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain", ModuleType("langchain"))
    monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
    yield made


async def test_a_named_model_is_made_once(tmp_path: Path, langchain: list[tuple[str, str]]) -> None:
    check_policy("writer:openai:ft:gpt:mine", MENU, [])
    decision = await choose(situation(tmp_path, policy="writer:openai:ft:gpt:mine", menu=MENU))
    assert decision.instruction == INSTRUCTION
    assert langchain == [("openai", "ft:gpt:mine")]


def test_a_model_that_cannot_be_made_says_why(langchain: list[tuple[str, str]]) -> None:
    with pytest.raises(WriterError, match=r"cannot be made: Could not import langchain_other\. Install the provider"):
        check_policy("writer:other:large", MENU, [])


# Through the loop.


async def run(folder: Path, model: ScriptedModel, **settings: Any) -> Run:
    Image.new("RGB", (8, 8), "red").save(folder / "picture.png")
    with Engine(lambda: model) as engine:
        register_engine("scripted", engine)
        context = Context(model="scripted", **settings)
        return await aask(
            folder / "picture.png", "Which?", options=["pink", "teal"], context=context, out=folder / "runs"
        )


def keeps(text: str, pictures: object, options: Sequence[str]) -> list[float]:
    return [-0.1 if option in ("keep", "teal") else -3.0 for option in options]


async def test_own_words_are_drawn_judged_and_traced_like_any_edit(tmp_path: Path) -> None:
    Chat(INSTRUCTION, "none")
    model = ScriptedModel(prompt_set="bagel", score_script=keeps)
    found = await run(tmp_path, model, policy="writer:fake")
    assert [turn.decision.edit for turn in found.rounds] == ["written", "none"]
    assert model.of("draw")[0].texts == (INSTRUCTION,)
    (judged,) = {text for call in model.of("score") for text in call.texts if "discard, if" in text}
    assert INSTRUCTION in judged
    assert found.rounds[0].verdict and found.rounds[0].verdict.action == "keep"
    assert found.trace is not None
    trace = read_trace(found.trace)
    assert trace.rounds == found.rounds
    page = (found.trace / "index.html").read_text("utf-8")
    assert INSTRUCTION in page and "written" in page


@pytest.mark.parametrize(
    ("policy", "model", "says"),
    [
        ("own-words", ScriptedModel().declaring(instructions=frozenset({"Go."})), "only the 1 instructions"),
        ("writer:fake", ScriptedModel().declaring(instructions=frozenset({"Go."})), "'writer:fake' writes its own"),
        ("own-words", ScriptedModel(), "no prompt that asks it"),
        (f"fixed:written(instruction={INSTRUCTION})", ScriptedModel().declaring(instructions=frozenset()), "'written'"),
    ],
)
async def test_models_that_cannot_use_words_of_ones_own_refuse_them(
    tmp_path: Path, policy: str, model: ScriptedModel, says: str
) -> None:
    Chat()
    with pytest.raises(CapabilityError, match=says):
        await run(tmp_path, model, policy=policy)
    assert not model.calls and not (tmp_path / "runs").exists()
