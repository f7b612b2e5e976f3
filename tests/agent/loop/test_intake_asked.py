"""Which picture and which question a conversation asks about."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from PIL import Image

from g2u.errors import PictureError, UnknownPictureError
from g2u.loop.asked import AUTHOR, find_asked, parsed
from g2u.pictures.references import ImageRef
from g2u.pictures.store import ImageStore
from g2u.state import Question, State


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def old(store: ImageStore) -> ImageRef:
    return store.add_image(Image.new("RGB", (20, 10), "teal"))


@pytest.fixture
def new(store: ImageStore) -> ImageRef:
    return store.add_image(Image.new("RGB", (20, 10), "plum"))


def person(text: str = "", picture: ImageRef | None = None) -> HumanMessage:
    shown = [{"type": "image", "url": picture.uri, "mime_type": "image/png"}] if picture else []
    return HumanMessage([*shown, *([{"type": "text", "text": text}] if text else [])])


def other(text: str) -> AIMessage:
    return AIMessage(text)


def ours(text: str, thought: ImageRef) -> AIMessage:
    return AIMessage([{"type": "text", "text": text}, {"type": "image", "url": thought.uri}], name=AUTHOR)


def handed_over(text: str = "") -> list[BaseMessage]:
    call = {"name": "transfer_to_g2u", "args": {}, "id": "1"}
    return [AIMessage(text, tool_calls=[call]), ToolMessage("Successfully transferred to g2u", tool_call_id="1")]


def asked(store: ImageStore, *messages: BaseMessage, **fields: Any) -> tuple[Any, str | None]:
    """What is asked about, alone where it is one picture, and the question."""
    found = find_asked(cast(State, {"messages": list(messages), **fields}), store)
    pictures = found["pictures"]
    return pictures[0] if pictures and len(pictures) == 1 else pictures, found["question"]


def test_intake_finds_a_picture_before_its_question(store: ImageStore, old: ImageRef) -> None:
    assert asked(store, person(picture=old), person("Which?")) == (old, "Which?")


def test_intake_finds_a_question_before_its_picture(store: ImageStore, old: ImageRef) -> None:
    assert asked(store, person("Which?"), person(picture=old)) == (old, "Which?")


def test_intake_takes_the_newest_of_a_whole_history(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    system = SystemMessage("Be brief.")
    history = [system, person("Which?", old), other("blue"), person("And here?", new), other("red")]
    assert asked(store, *history, person("And now?")) == (new, "And now?")
    assert asked(store, *history, person("And now?", old)) == (old, "And now?")


def test_intake_takes_a_second_turn_of_text_alone(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    history = [person("Which?", old), ours("blue", new)]
    assert asked(store, *history, person("And now?")) == (old, "And now?")
    assert asked(store, *history, person("And now?"), picture=new) == (new, "And now?")


@pytest.mark.parametrize("text", ["", "Let us see."])
def test_intake_takes_what_a_supervisor_hands_over(store: ImageStore, old: ImageRef, text: str) -> None:
    assert asked(store, person("Which?", old), *handed_over(text)) == (old, "Which?")
    assert asked(store, person(picture=old), person("Which?"), *handed_over(text)) == (old, "Which?")
    assert asked(store, person("Which?", old), other("I ask my colleague.")) == (old, "Which?")


def test_intake_is_handed_over_a_question_again(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    history = [person("Which?", old), *handed_over(), ours("blue", new)]
    assert asked(store, *history, *handed_over()) == (old, "Which?")
    assert asked(store, *history, person("And now?"), *handed_over()) == (old, "And now?")


def test_intake_asks_no_question_that_is_answered(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    history = [person("Which?", old), ours("blue", new)]
    assert asked(store, *history, picture=new) == (new, None)
    assert asked(store, *history, person(picture=new)) == (new, None)
    assert asked(store, *history, other("It is blue."), picture=new) == (new, None)
    assert asked(store, person("Which?", old), other("blue"), person(picture=new)) == (new, None)
    assert asked(store, person("Which?", old), other("blue"), picture=new) == (new, None)
    assert asked(store, person("Which?", old), other("blue"), options=["red", "blue"]) == (old, None)
    assert asked(store, *history, picture=new, question="And here?") == (new, "And here?")


def test_intake_fills_from_the_fields_what_messages_lack(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    assert asked(store, person("Which?"), picture=old) == (old, "Which?")
    assert asked(store, person(picture=old), question="Which?") == (old, "Which?")
    assert asked(store, person("Which?", new), picture=old) == (new, "Which?")
    assert asked(store, person(picture=old), person("Which?"), picture=new) == (new, "Which?")
    assert asked(store, person("Which?", old), person(picture=new), picture=old) == (new, "Which?")
    assert asked(store, person("Hello.")) == (None, "Hello.")
    assert asked(store, person("Which?", new), question="And here?") == (new, "And here?")
    assert asked(store, person("Which?", new), picture=old, question="And here?") == (old, "And here?")
    assert asked(store, person("Which?", old), question="") == (old, "Which?")
    assert asked(store, question="") == (None, "")
    assert asked(store) == (None, None)


def test_intake_hears_a_message_once_beside_fields(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    """A run that was stopped has heard its message, and its thread has no answer."""
    stopped = [HumanMessage("Which?", id="1")]
    before = Question(pictures=[old], question="Which?", heard="1")
    assert asked(store, *stopped, asked=before) == (old, "Which?")
    assert asked(store, *stopped, asked=before, picture=new) == (new, None)
    assert asked(store, *stopped, asked=before, question="And here?") == (old, "And here?")
    assert asked(store, *stopped, HumanMessage("Now?", id="2"), asked=before, picture=new) == (new, "Now?")
    assert asked(store, *stopped, person(picture=new), asked=before) == (new, None)
    assert asked(store, person("Which?", new).model_copy(update={"id": "1"}), person("Now?"), asked=before) == (
        old,
        "Now?",
    )
    by_fields = Question(pictures=[old], question="Which?")
    assert asked(store, HumanMessage("Now?"), asked=by_fields, picture=new) == (new, "Now?")


def test_intake_asks_about_the_picture_of_the_thread(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    """Which came by a field, after a message had shown another one."""
    history = [person("Which?", old), ours("blue", old), ours("red", new)]
    before = Question(pictures=[new], question="And here?")
    assert asked(store, *history, person("And now?"), asked=before) == (new, "And now?")


def test_intake_takes_a_picture_that_a_message_names(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    history = [person("Which?", old), ours("blue", new)]
    assert asked(store, *history, HumanMessage(f"What is in {new.uri}?")) == (new, "What is in the picture?")
    assert asked(store, HumanMessage(f"![maze]({old.uri})"), HumanMessage("Which?")) == (old, "Which?")
    with pytest.raises(UnknownPictureError):
        asked(store, *history, HumanMessage(f"What is in g2u:{'f' * 64}?"))


def test_intake_asks_about_all_pictures_of_a_message_in_order(store: ImageStore, old: ImageRef, new: ImageRef) -> None:
    both = HumanMessage([*person(picture=new).content, *person("Which?", old).content])
    assert asked(store, both) == ([new, old], "Which?")
    assert asked(store, both, AIMessage("red", name=AUTHOR), person("And now?")) == ([new, old], "And now?")
    before = Question(pictures=[new, old], question="Which?")
    assert asked(store, person("And now?"), asked=before) == ([new, old], "And now?")
    assert asked(store, both, person("And here?", old)) == (old, "And here?")
    assert asked(store, HumanMessage(f"Is {old.uri} as dark as {new.uri}?")) == (
        [old, new],
        "Is picture 1 as dark as picture 2?",
    )
    later = HumanMessage([f"Is this as dark as {new.uri}?", *person(picture=old).content])
    assert asked(store, later) == ([new, old], "Is this as dark as picture 1?")
    assert asked(store, HumanMessage([*person(picture=old).content, f"Which? {old.uri}"])) == (old, "Which?")


def test_intake_refuses_parts_that_ask_and_leaves_those_that_do_not(store: ImageStore, old: ImageRef) -> None:
    part = {"type": "file", "url": "https://example.org/a.pdf", "mime_type": "application/pdf"}
    with pytest.raises(PictureError, match="type 'file'"):
        asked(store, person("Which?", old), HumanMessage([part]))
    with pytest.raises(PictureError, match="type 'file'"):
        asked(store, HumanMessage([*person(picture=old).content, part]), person("Which?"))
    assert asked(store, HumanMessage([part]), person("Which?", old)) == (old, "Which?")
    answered = HumanMessage([part, {"type": "text", "text": "What is this?"}])
    thinking = AIMessage([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "A report."}])
    assert asked(store, answered, thinking, person("Which?", old)) == (old, "Which?")


def test_intake_keeps_no_picture_of_any_message(store: ImageStore, old: ImageRef) -> None:
    data = base64.b64encode(store.path(old).read_bytes()).decode()
    block = {"type": "image", "base64": data, "mime_type": "image/png"}
    messages = [
        HumanMessage([block, "Which?"], id="1", additional_kwargs={"attachments": [{"url": f"data:;base64,{data}"}]}),
        AIMessage("", id="2", tool_calls=[{"name": "imagine", "args": {"picture": data}, "id": "1"}]),
        ToolMessage([block], id="3", tool_call_id="1", artifact={"png": data}),
        HumanMessage(f"data:image/png;base64,{data}\nAnd now?", id="4"),
    ]
    found = find_asked(cast(State, {"messages": messages}), store)
    assert (found["pictures"], found["question"]) == ([old], "And now?")
    changed: list[BaseMessage] = found["messages"]
    assert [message.id for message in changed] == ["1", "2", "3", "4"]
    kept = "".join(message.model_dump_json() for message in changed)
    assert data not in kept and kept.count(old.sha256) == 6
    again = find_asked(cast(State, {"messages": changed}), store)
    assert again == {"pictures": [old], "question": "And now?"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ('["red", "green"]', ["red", "green"]),
        (' {"colour": "red"}', {"colour": "red"}),
        ("[red", "[red"),
        ("red", "red"),
        (["red"], ["red"]),
        (None, None),
    ],
)
def test_intake_reads_lists_as_json_text(given: object, meant: object) -> None:
    assert parsed(given) == meant


def test_intake_takes_a_reference_that_came_as_json(store: ImageStore, old: ImageRef) -> None:
    reference: Mapping[str, Any] = old.model_dump()
    assert asked(store, picture=reference, question="Which?") == (old, "Which?")
    assert asked(store, picture=old.uri, question="Which?") == (old, "Which?")
