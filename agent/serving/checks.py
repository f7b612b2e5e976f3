"""What is looked at in a request before it may start a run: fields, settings, pictures, question and reply.

The LangGraph server takes any JSON, answers 200 and lets the run fail later. These checks answer at once, and turn what
a request calls a picture into references, so that no run ever sees pixels.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from langgraph_sdk import get_client
from langgraph_sdk.errors import LangGraphError
from pydantic import TypeAdapter, ValidationError

from g2u.admission import admit
from g2u.errors import PictureError, ReviewError, SettingError, UnknownNameError
from g2u.intake import take_content, take_picture
from g2u.pictures import ImageStore, get_store
from g2u.review import Review
from g2u.serving.problems import ForbiddenError
from g2u.serving.settings import ASSISTANTS, GRAPHS, check_settings, with_defaults
from g2u.state import Context, Input

FIELDS: Final = tuple(Input.__annotations__)
SETTINGS: Final = tuple(field.name for field in fields(Context))
EVENTS: Final = ("/commands", "/stream/events")
"""Ends of the paths of the event protocol."""
_INTERRUPT: Final = re.compile(r"[0-9a-f]{32}")
_CONTEXT: Final = TypeAdapter(Context)

MOST_BLOCKS: Final = 32
"""Parts of all messages of a request; each may hold a picture that is decoded."""

Payload = dict[str, Any]


async def check_run(payload: Payload, path: str) -> Payload:
    """A request that starts or resumes a run, as the server may have it.

    Args:
        payload: Body of the request.
        path: Of the request.

    Raises:
        G2UError: In one of its kinds, when the run cannot work.
    """
    if payload.get("webhook"):
        raise ForbiddenError("This server calls no webhooks.", "Leave `webhook` out and stream the run.")
    given, configured = _settings(payload)
    for settings in (given, configured):
        check_settings(settings)
    graph, own = await _assistant(str(payload.get("assistant_id", "")))
    if graph is None:
        return payload
    _check_names("setting", given, SETTINGS)
    threaded = path.startswith("/threads/")
    payload = dict(payload)
    merged = with_defaults({**own, **{name: configured[name] for name in SETTINGS if name in configured}, **given})
    if configured or path.endswith(EVENTS):  # the event protocol knows no `context`
        payload["config"] = {**(payload.get("config") or {}), "configurable": {**configured, **given, **_model(merged)}}
        payload.pop("context", None)
    else:
        payload["context"] = {**given, **_model(merged)}
    context = _context(merged)
    if context.pause != "never" and not threaded:
        raise ReviewError("A person can be asked only in a thread.", "Make one with POST /threads and run in it.")
    if isinstance(payload.get("input"), Mapping):
        payload["input"] = await check_input(dict(payload["input"]), context, graph)
    command = payload.get("command")
    if isinstance(command, Mapping) and command.get("resume") is not None:
        check_resume(command["resume"])
    if path.endswith(("/stream", "/wait")):
        payload.setdefault("on_disconnect", "cancel")
    return payload


async def check_batch(payload: list[Payload], path: str) -> list[Payload]:
    """Several requests in one; each is checked."""
    return [await check_run(one, path) for one in payload]


async def check_command(payload: Payload, path: str) -> Payload:
    """A command of the event protocol, whose parameters are those of a run."""
    if payload.get("method") != "run.start" or not isinstance(payload.get("params"), dict):
        return payload
    return {**payload, "params": await check_run(payload["params"], path)}


async def check_assistant(payload: Payload, path: str) -> Payload:
    """An assistant, which is a graph with settings of its own."""
    for settings in _settings(payload):
        check_settings(settings)
    if payload.get("graph_id") in GRAPHS:
        _check_names("setting", _settings(payload)[0], SETTINGS)
    return payload


async def check_state(payload: Payload, path: str) -> Payload:
    """An update of a thread's state by hand: pictures in its messages become references."""
    values = payload.get("values")
    if not isinstance(values, Mapping) or "messages" not in values:
        return payload
    store = await asyncio.to_thread(get_store)
    messages, _, _ = await asyncio.to_thread(_take_messages, values["messages"], store)
    return {**payload, "values": {**values, "messages": messages}}


async def check_input(given: dict[str, Any], context: Context, graph: str) -> dict[str, Any]:
    """The input of a graph of ours: known fields, pictures as references, a question that can be asked.

    Args:
        given: Fields of the input.
        context: Settings of the run.
        graph: Its name.
    """
    _check_names("field of the input", given, FIELDS)
    store = await asyncio.to_thread(get_store)
    question = given.get("question")
    pictures = 0
    if "messages" in given:
        given["messages"], pictures, text = await asyncio.to_thread(_take_messages, given["messages"], store)
        question = text or question
    if pictures > 1:
        raise PictureError(f"A question is about one picture, not {pictures}.", "Send them one by one.")
    if given.get("picture") is not None:
        ref = await asyncio.to_thread(take_picture, given["picture"], store)
        given["picture"] = ref.model_dump()
    if question is not None:
        if graph == "direct":
            context = _context({**vars(context), "policy": "none"})
        await admit(context, question, given.get("options") or [], given.get("gold_edits") or [])
    return given


def check_resume(reply: Any) -> None:
    """The reply of a person, or one for each interrupt by its identifier.

    Raises:
        ReviewError: It is no `Review`.
    """
    by_interrupt = isinstance(reply, Mapping) and reply and all(_INTERRUPT.fullmatch(str(key)) for key in reply)
    for one in reply.values() if by_interrupt else [reply]:
        try:
            Review.model_validate(one)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            hint = 'Reply {"action": "approve"}, {"action": "stop"} or {"action": "change", "edit": "deblur"}.'
            raise ReviewError(f"That is no reply: {_where(first)}{first['msg']}.", hint) from error


def _take_messages(messages: Any, store: ImageStore) -> tuple[Any, int, str]:
    """Messages with references alone; how many pictures the last one has, and its text."""
    several = messages if isinstance(messages, list) else [messages]
    contents = [one["content"] for one in several if isinstance(one, Mapping) and isinstance(one.get("content"), list)]
    if (parts := sum(map(len, contents))) > MOST_BLOCKS:
        message = f"The messages of a request have at most {MOST_BLOCKS} parts, not {parts}."
        raise PictureError(message, "Send fewer at once.")
    taken: list[Any] = []
    pictures, text = 0, ""
    for message in several:
        content = message.get("content") if isinstance(message, Mapping) else message
        blocks, refs, text = take_content(content if isinstance(content, list) else [content], store)
        pictures = len(refs)
        taken.append({**message, "content": blocks} if isinstance(message, Mapping) and refs else message)
    return taken if isinstance(messages, list) else taken[0], pictures, text


async def _assistant(name: str) -> tuple[str | None, Mapping[str, Any]]:
    """The graph of an assistant, where it is one of ours, and the settings that the assistant has."""
    if name in ASSISTANTS:
        return ASSISTANTS[name], {}
    try:
        found = await get_client().assistants.get(name)
    except LangGraphError:  # the server itself tells what is wrong
        return None, {}
    graph, own = found["graph_id"], found.get("context")
    return (graph if graph in GRAPHS else None), (own if isinstance(own, Mapping) else {})


def _settings(payload: Payload) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The settings of a request, by the two ways in which they come."""
    context, config = payload.get("context"), payload.get("config")
    configured = config.get("configurable") if isinstance(config, Mapping) else None
    return (
        context if isinstance(context, Mapping) else {},
        configured if isinstance(configured, Mapping) else {},
    )


def _model(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("model", "weights") if settings.get(name)}


def _context(settings: Mapping[str, Any]) -> Context:
    try:
        return _CONTEXT.validate_python(dict(settings))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SettingError(f"A setting cannot be used: {_where(first)}{first['msg']}.", "help(g2u.Context)") from error


def _check_names(kind: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise UnknownNameError(kind, str(name), known)


def _where(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: " if place else ""
