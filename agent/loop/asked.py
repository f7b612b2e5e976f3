"""What is asked: the picture and the question among the fields of an input and the messages of a conversation.

A person's messages ask from the last answer on, whoever gave it; calls of tools and their results are no answer. Where
an answer or a result comes last, somebody hands a question over, unless the answer is ours: a question that we have
answered is not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from ..errors import PictureError, QuestionError
from ..pictures.intake import HINT, Said, take_content, take_data, take_picture
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..state import State

AUTHOR: Final = "g2u"
"""Name of our answers among those of other agents."""

_HOLDING: Final = ("content", "additional_kwargs", "tool_calls", "artifact")
"""Fields of messages in which a picture itself may be."""


def find_asked(state: State, store: ImageStore) -> dict[str, Any]:
    """Picture and question, each `None` where it is not given, and the messages that held more than references.

    The question is the newest text of the messages that ask, or else that of the field. The picture is the newest that
    they show or name, or else that of the field, or else the newest that a person has shown before.

    Args:
        state: As the caller gave it, what the thread has kept beneath.
        store: Where pictures are kept.

    Raises:
        PictureError: There are several pictures, or it is none; or a part of a message is neither text nor a picture.
    """
    came = state.get("messages") or []
    messages: list[BaseMessage] = [without_data(message, store) for message in came]
    said = {place: take_content(messages[place].content, store) for place in _asking(messages)}
    newest = [said[place] for place in sorted(said, reverse=True)]
    question: str | None = next((one.text for one in newest if one.text), state.get("question"))
    picture = next(filter(None, map(_picture_of, newest)), None)
    given: object = state.get("picture")
    if picture is None and given is not None:
        picture = given if isinstance(given, ImageRef) else take_picture(given, store)
    if picture is None:
        picture = next(filter(None, map(_picture_of, _said_before(messages, store))), None)
    for place, one in said.items():
        messages[place] = _with(messages[place], {"content": one.content})
    changed = [new for new, old in zip(messages, came, strict=True) if new is not old]
    return {"picture": picture, "question": question, **({"messages": changed} if changed else {})}


def require_asked(found: Mapping[str, Any]) -> None:
    """Refuse what `find_asked` found where something is missing.

    Raises:
        PictureError: There is no picture.
        QuestionError: There is no question.
    """
    if found["picture"] is None:
        raise PictureError("There is no picture to ask about.", HINT)
    if found["question"] is None:
        raise QuestionError("There is no question.", "Give one as `question`, or as the text of a user's message.")


def parsed(given: object) -> object:
    """A list or an object that came as JSON text, as clients send it whose forms know texts alone; else what came.

    Args:
        given: Such as `'["red", "green"]'`.
    """
    if not isinstance(given, str) or not given.lstrip().startswith(("[", "{")):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def _asking(messages: Sequence[BaseMessage]) -> list[int]:
    """Places of a person's messages that nobody has answered, or whose answer is handed over."""
    end = len(messages)
    while end and not isinstance(messages[end - 1], HumanMessage):
        end -= 1
    after = messages[end:]
    if after and _is_answer(after[-1]) and any(message.name == AUTHOR for message in after):
        return []
    begin = end
    while begin and not _is_answer(messages[begin - 1]):
        begin -= 1
    return [place for place in range(begin, end) if isinstance(messages[place], HumanMessage)]


def _is_answer(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and not message.tool_calls


def _said_before(messages: Sequence[BaseMessage], store: ImageStore) -> Iterator[Said]:
    """What persons have said, the newest first, each looked at when it is come to."""
    persons = (message for message in reversed(messages) if isinstance(message, HumanMessage))
    return (take_content(message.content, store, whole=False) for message in persons)


def _picture_of(said: Said) -> ImageRef | None:
    if len(said.pictures) > 1:
        raise PictureError(f"A question is about one picture, not {len(said.pictures)}.", "Send them one by one.")
    return said.pictures[0] if said.pictures else None


def without_data(message: BaseMessage, store: ImageStore) -> BaseMessage:
    """A message with references in the place of pictures that it holds; the same one where it holds none."""
    return _with(
        message, {name: take_data(getattr(message, name), store) for name in _HOLDING if hasattr(message, name)}
    )


def _with(message: BaseMessage, fields: Mapping[str, Any]) -> BaseMessage:
    """A message with other fields, or the same one where they are the same."""
    other = {name: value for name, value in fields.items() if value is not getattr(message, name)}
    return message.model_copy(update=other) if other else message
