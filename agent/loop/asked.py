"""What is asked: pictures and a question among the fields of an input and the messages of a conversation.

A person's messages ask from the last answer on, whoever gave it; calls of tools and their results are no answer. Where
a result or an answer comes last, somebody hands a question over, unless the answer is ours or the input has fields: a
question that was answered is not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from ..errors import PictureError, QuestionError
from ..pictures.intake import HINT, Said, take_content, take_data, take_picture
from ..pictures.references import ImageRef
from ..pictures.several import given_pictures
from ..pictures.store import ImageStore
from ..state import State

FIELDS: Final = ("picture", "pictures", "question", "options", "gold_edits")
"""Of an input, beside its messages."""
AUTHOR: Final = "g2u"
"""Name of our answers among those of other agents."""

_HOLDING: Final = ("content", "additional_kwargs", "tool_calls", "artifact")
"""Fields of messages in which a picture itself may be."""


def find_asked(state: State, store: ImageStore) -> dict[str, Any]:
    """Pictures and question, each `None` where it is not given, and the messages that held more than references.

    The question is that of the field, or else the newest text of the messages that ask. The pictures are all those of
    the last of them, in order, or else those of the field, or else of the newest of the others, those of the thread, or
    the newest that a person has shown before. Where both fields are given, no message asks; beside any, or before a
    later one, a message asks once, also when its run did not finish.

    Args:
        state: As the caller gave it, what the thread has kept beneath.
        store: Where pictures are kept.

    Raises:
        PictureError: It is no picture, there are too many, or a part of a message is neither text nor a picture.
    """
    came, before = state.get("messages") or [], state.get("asked")
    given = given_pictures(state)
    question: str | None = state.get("question")
    messages: list[BaseMessage] = [without_data(message, store) for message in came]
    by_fields = any(state.get(name) is not None for name in FIELDS)
    asking = [] if question and given is not None else _asking(messages, by_fields)
    if before is not None and before.heard is not None:
        heard = next((place for place, message in enumerate(messages) if message.id == before.heard), -1)
        later = [place for place in asking if place > heard]
        asking = later if by_fields or later else asking
    pictures: list[ImageRef] | None = None
    for place in reversed(asking):
        said = take_content(messages[place].content, store)
        messages[place] = _with(messages[place], {"content": said.content})
        question = question or said.text or question
        if pictures is None and (given is None or place == asking[-1]):
            pictures = said.pictures or None
        if question and (pictures or given):
            break
    if pictures is None and given is not None:
        pictures = [one if isinstance(one, ImageRef) else take_picture(one, store) for one in given]
    if pictures is None and before is not None:
        pictures = before.pictures
    if pictures is None:
        pictures = next((said.pictures for said in _said_before(messages, store) if said.pictures), None)
    changed = [new for new, old in zip(messages, came, strict=True) if new is not old]
    return {"pictures": pictures, "question": question, **({"messages": changed} if changed else {})}


def require_asked(found: Mapping[str, Any]) -> None:
    """Refuse what `find_asked` found where something is missing.

    Raises:
        PictureError: There is no picture.
        QuestionError: There is no question.
    """
    if not found["pictures"]:
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


def listed(given: object) -> Any:
    """A list of an input: `None` is an empty one, and JSON text is what it says; whatever else came stays as it is.

    Args:
        given: Such as the options of a question.
    """
    return [] if given is None else parsed(given)


def _asking(messages: Sequence[BaseMessage], by_fields: bool) -> list[int]:
    """Places of a person's messages that nobody has answered, or that are handed over with what was answered."""
    end = len(messages)
    while end and not isinstance(messages[end - 1], HumanMessage):
        end -= 1
    after = messages[end:]
    if after and _is_answer(after[-1]) and (by_fields or any(message.name == AUTHOR for message in after)):
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


def without_data(message: BaseMessage, store: ImageStore) -> BaseMessage:
    """A message with references in the place of pictures that it holds; the same one where it holds none."""
    lenient = not isinstance(message, HumanMessage)  # what others sent is not this person's mistake
    fields = {name: getattr(message, name) for name in _HOLDING if hasattr(message, name)}
    return _with(message, {name: take_data(value, store, lenient=lenient) for name, value in fields.items()})


def _with(message: BaseMessage, fields: Mapping[str, Any]) -> BaseMessage:
    """A message with other fields, or the same one where they are the same."""
    other = {name: value for name, value in fields.items() if value is not getattr(message, name)}
    return message.model_copy(update=other) if other else message
