"""What is looked at in a request before it may start a run or write into a thread: fields, settings, pictures, words.

The LangGraph server takes any JSON, answers 200 and lets the run fail later. These checks answer at once, and turn what
a request calls a picture into references, so that no run ever sees pixels.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from reprlib import repr as short
from typing import Any, Final, cast

from langchain_core.messages import BaseMessage, RemoveMessage, convert_to_messages
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph_sdk import get_client
from langgraph_sdk.errors import LangGraphError
from pydantic import TypeAdapter, ValidationError

from ..engine.registry import get_engine
from ..errors import QuestionError, ReviewError, SettingError, UnknownNameError
from ..loop.admission import admit, check_ranges
from ..loop.admission import check_settings as check_context
from ..loop.asked import find_asked, require_asked
from ..loop.exploring import check_exploring
from ..loop.replies import REPLY
from ..loop.revival import TYPES
from ..pictures.intake import take_all
from ..pictures.store import get_store
from ..state import Context, State
from .meant import FIELDS, SETTINGS, settings_as_meant, written_as_meant
from .problems import ForbiddenError
from .settings import ASSISTANTS, GRAPHS, check_settings, with_defaults

EVENTS: Final = ("/commands", "/stream/events")
"""Ends of the paths of the event protocol."""
NEAR: Final = 0.7
"""From which ratio of `difflib` on a name in `config.configurable` is a misspelt setting, `max_rounds` one of them."""
WRITTEN: Final = ("input", "command", "values", "supersteps", "update", "goto")
"""Fields of a request that end in the state of a thread."""
_INTERRUPT: Final = re.compile(r"[0-9a-f]{32}")
_CONTEXT: Final = TypeAdapter(Context)

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
    graph, own = await _assistant(str(payload.get("assistant_id", "")))
    for settings in (given, configured, own):
        check_settings(settings)
    if graph is None:
        return payload
    _check_names("setting", given, SETTINGS)
    _check_misspelt(configured)
    threaded = path.startswith("/threads/")
    payload = await _with_references(payload)
    given, configured, own = (settings_as_meant(settings) for settings in (given, configured, own))
    merged = with_defaults({**own, **{name: configured[name] for name in SETTINGS if name in configured}, **given})
    context = _context(merged)
    # As they were read: a run takes numbers for numbers alone, and clients send them as texts.
    given = {name: getattr(context, name) for name in given}
    configured |= {name: getattr(context, name) for name in configured if name in SETTINGS}
    if configured or path.endswith(EVENTS):  # the event protocol knows no `context`
        config = payload.get("config")
        own_config = config if isinstance(config, Mapping) else {}
        payload["config"] = {**own_config, "configurable": {**configured, **given, **_model(merged)}}
        payload.pop("context", None)
    else:
        payload["context"] = {**given, **_model(merged)}
    check_ranges(context)
    if graph == "explore":
        check_exploring(context)
    if context.pause != "never" and not threaded:
        raise ReviewError("A person can be asked only in a thread.", "Make one with POST /threads and run in it.")
    asked, command = payload.get("input"), payload.get("command")
    if threaded and isinstance(command, Mapping) and command:
        if asked:  # LangGraph would leave it out
            raise QuestionError(
                "A run gets an input or a command, not both.", "Send the question once this one is done."
            )
        payload["input"] = None  # clients send an empty one beside a command
        if command.get("resume") is not None:
            check_resume(command["resume"])
        elif all(value is None for value in command.values()):
            raise ReviewError("That command says nothing.", 'Reply {"resume": {"action": "approve"}}.')
    elif not threaded or asked is not None:
        await check_input({} if asked is None else asked, context, graph, path.split("/")[2] if threaded else "")
    if path.endswith(("/stream", "/wait")):
        payload.setdefault("on_disconnect", "cancel")
    return payload


async def check_batch(payload: list[Payload], path: str) -> list[Payload]:
    """Several requests in one; each is checked."""
    return [await check_run(one, path) if isinstance(one, dict) else one for one in payload]


async def check_schedule(payload: Payload, path: str) -> Payload:
    """A change of a schedule: when it runs, not what, since it does not say of which graph."""
    for name in ("input", "config", "context", "webhook"):
        if payload.get(name):
            hint = "Delete it, and make another one with POST /runs/crons."
            raise ForbiddenError(f"The {name!r} of a schedule cannot be changed.", hint)
    return payload


async def check_command(payload: Payload, path: str) -> Payload:
    """A command of the event protocol; of those that start nothing, none is looked at."""
    check = {"run.start": check_run, "input.respond": check_respond}.get(str(payload.get("method")))
    params = payload.get("params")
    if check is None or not isinstance(params, dict):
        return payload
    return {**payload, "params": await check(params, path)}


async def check_respond(payload: Payload, path: str) -> Payload:
    """Replies of a person, and the run that they start: of the assistant of the thread, with settings of its own."""
    replies = payload.get("responses")
    for reply in replies if isinstance(replies, list) else [payload]:
        check_resume(reply.get("response") if isinstance(reply, Mapping) else None)
    with suppress(LangGraphError):  # the server itself tells what is wrong
        thread = await get_client().threads.get(path.split("/")[2])
        payload = {**payload, "assistant_id": (thread["metadata"] or {}).get("assistant_id")}
    return await check_run(payload, path)


async def check_assistant(payload: Payload, path: str) -> Payload:
    """An assistant, which is a graph with settings of its own: those that no run could have are refused at once."""
    given, configured = _settings(payload)
    for settings in (given, configured):
        check_settings(settings)
    named = path.removeprefix("/assistants").strip("/")
    graph = payload.get("graph_id") or (await _assistant(named))[0]
    if graph not in GRAPHS:
        return payload
    _check_names("setting", given, SETTINGS)
    _check_misspelt(configured)
    given, configured = settings_as_meant(given), settings_as_meant(configured)
    if settings := {name: configured[name] for name in SETTINGS if name in configured} | given:
        context = _context(with_defaults(settings))
        given = {name: getattr(context, name) for name in given}
        await asyncio.to_thread(check_context, context)
        if graph == "explore":
            check_exploring(context)
        if get_engine(context.model, context.weights).loaded:
            with suppress(QuestionError):  # the gold edits come with the question
                await admit(context, "Which?")
    return {**payload, "context": given} if isinstance(payload.get("context"), Mapping) else payload


async def check_state(payload: Payload, path: str) -> Payload:
    """What is written into the state of a thread by hand, or as its past when it is made."""
    metadata = payload.get("metadata")
    graph = payload.get("graph_id") or (metadata.get("graph_id") if isinstance(metadata, Mapping) else None)
    if not graph and path.endswith("/state"):
        with suppress(LangGraphError):  # the server itself tells what is wrong
            thread = await get_client().threads.get(path.split("/")[2])
            graph = (thread["metadata"] or {}).get("graph_id")
    return await _with_references(payload, ours=not graph or graph in GRAPHS)


async def check_input(given: Any, context: Context, graph: str, thread: str) -> None:
    """The input of a graph of ours: known fields, and a question that can be asked.

    Args:
        given: The input, with references in the place of pictures.
        context: Settings of the run.
        graph: Its name.
        thread: Whose state may have what it lacks; empty for none.
    """
    if not isinstance(given, Mapping):
        hint = 'Send {"pictures": [...], "question": ...} or {"messages": [...]}.'
        raise QuestionError(f"The input must be an object, not {short(given)}.", hint)
    _check_names("field of the input", given, FIELDS)
    messages = _messages(given.get("messages") or [])
    await _check_removals(messages, thread)
    state = cast("State", {**given, "messages": messages})
    # By themselves, too: fields may ask in their place, but no part of them is to be lost unseen.
    await asyncio.to_thread(lambda: find_asked(cast("State", {"messages": messages}), get_store()))
    found = await asyncio.to_thread(lambda: find_asked(state, get_store()))
    # The pictures may be those of the thread, and what a message lacks in one before it.
    question = found["question"] if found["question"] is not None else (messages and thread) or None
    pictures = found["pictures"] or (await _asked_before(thread) if thread else None)
    require_asked({"pictures": pictures or thread or None, "question": question})
    if found["question"] is not None:
        if graph == "direct":
            context = _context({**vars(context), "policy": "none"})
        options, gold_edits = given.get("options") or [], given.get("gold_edits") or []
        await admit(context, found["question"], options, gold_edits, len(pictures or [""]))


def check_resume(reply: Any) -> None:
    """The reply of a person, or one for each interrupt by its identifier.

    Raises:
        ReviewError: It has none of the forms that a reply may have.
    """
    by_interrupt = isinstance(reply, Mapping) and reply and all(_INTERRUPT.fullmatch(str(key)) for key in reply)
    for one in reply.values() if by_interrupt else [reply]:
        try:
            REPLY.validate_python(one)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            hint = 'Reply {"action": "approve"}, {"action": "stop"} or {"action": "change", "edit": "deblur"}.'
            raise ReviewError(f"That is no reply: {_where(first)}{first['msg']}.", hint) from error


async def _with_references(payload: Payload, ours: bool = True) -> Payload:
    """A request as it is meant, whose pictures, as far as they end in the state of a thread, are references.

    What it writes into the state of a graph of ours is what its nodes can read and a request may choose.
    """
    written = written_as_meant({name: payload[name] for name in WRITTEN if name in payload})
    for state in _states(written) if ours else ():
        _check_state(state)
    return {**payload, **await asyncio.to_thread(lambda: take_all(written, get_store()))}


def _states(written: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All that a request writes into the state of a thread, whichever way it does."""
    for name in ("values", "update"):
        value = written.get(name)
        with suppress(TypeError, ValueError):  # pairs of name and value do as well
            yield dict(value or {})
    for name in ("command", "supersteps", "updates", "goto"):
        inner = written.get(name)
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, Mapping):
                sent = one.get("input") if name == "goto" else None
                yield from [sent] if isinstance(sent, Mapping) else _states(one)


def _check_state(state: Mapping[str, Any]) -> None:
    """Refuse values that the nodes could not read, and settings that a request may not choose.

    Raises:
        SettingError: One has another type than the state has.
        ForbiddenError: As `check_settings`, by which settings are checked here, too.
    """
    settings = state.get("settings")
    if settings is not None:
        if not isinstance(settings, Mapping):
            raise SettingError(f"The settings of a thread must be an object, not {short(settings)}.")
        check_settings(settings)
        _check_names("setting", settings, SETTINGS)
        _context(with_defaults(settings_as_meant(settings)))
    # The pictures of an input are references already, whatever they were.
    for name in TYPES.keys() & state.keys() - {"picture", "pictures"}:
        value = state[name]
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            try:
                TYPES[name].model_validate(one)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                raise SettingError(f"{name!r} of a thread cannot be that: {_where(first)}{first['msg']}.") from error


def _messages(given: Any) -> list[BaseMessage]:
    """Messages as the graph will have them."""
    try:
        return convert_to_messages(given if isinstance(given, list) else [given])
    except (ValueError, TypeError, NotImplementedError) as error:
        hint = 'Send {"role": "user", "content": "..."}.'
        raise QuestionError(f"{short(given)} is no message: {str(error).splitlines()[0]}", hint) from error


async def _check_removals(messages: list[BaseMessage], thread: str) -> None:
    """Refuse to remove messages that are not there, of which LangGraph itself would make an error of the run."""
    wanted = {message.id for message in messages if isinstance(message, RemoveMessage)} - {REMOVE_ALL_MESSAGES}
    wanted -= {message.id for message in messages if not isinstance(message, RemoveMessage)}
    if wanted and thread:
        with suppress(LangGraphError):  # the server itself tells what is wrong
            values: Any = (await get_client().threads.get_state(thread))["values"]
            kept = values.get("messages", []) if isinstance(values, Mapping) else []
            wanted -= {message.get("id") for message in kept if isinstance(message, Mapping)}
    if wanted:
        hint = "GET /threads/ID/state shows those that it has."
        raise QuestionError(f"The thread has no message {short(min(map(str, wanted)))} that could be removed.", hint)


async def _asked_before(thread: str) -> list[Any] | None:
    """The pictures of the last question of a thread; `None` where there was none, or they are in its messages alone."""
    with suppress(LangGraphError):  # the server itself tells what is wrong
        values: Any = (await get_client().threads.get_state(thread))["values"]
        asked = values.get("asked") if isinstance(values, Mapping) else None
        return asked.get("pictures") if isinstance(asked, Mapping) else None
    return None


async def _assistant(name: str) -> tuple[str | None, Mapping[str, Any]]:
    """The graph of an assistant, where it is one of ours, and the settings that the assistant has."""
    if name in ASSISTANTS or not name:
        return ASSISTANTS.get(name), {}
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


def _check_misspelt(configured: Mapping[str, Any]) -> None:
    """Refuse what is nearly a setting; all else is LangGraph's own, or of a graph around this one that hands it on."""
    for name in configured:
        if name not in SETTINGS and get_close_matches(str(name), SETTINGS, cutoff=NEAR):
            raise UnknownNameError("setting", str(name), SETTINGS)


def _where(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: " if place else ""
