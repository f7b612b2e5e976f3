"""What a model gives from its worker process: the same as in this process, bit for bit, and nothing odd."""

from __future__ import annotations

import ast
import gc
import json
import math
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from g2u.conformance.rules import RULES, check_conformance
from g2u.errors import BudgetError, ProtocolError
from g2u.models.contract import check_model, check_result, check_results
from g2u.models.protocol import Capabilities, Identity, Prefix, Reading, complete_sampler
from g2u.models.protocol import Sampler as Wanted
from g2u.models.settings import Setting
from g2u.models.worker import child
from g2u.models.worker.model import WorkerModel
from tests.agent.models.worker.plain import CAPABILITIES, Plain

Start = Callable[..., WorkerModel]


class Here(Plain):
    """The same model in this process, with G2U's own values."""

    identity = Identity(model="plain", weights="0" * 64, code="1", settings=("slow",))
    capabilities = Capabilities(
        **{**CAPABILITIES, "settings": {name: Setting(**one) for name, one in CAPABILITIES["settings"].items()}}  # type: ignore
    )

    def read(self, *asked: Any) -> Any:
        return [reading and Reading(**reading) for reading in super().read(*asked)]


def every(done: int, total: int) -> Sequence[bool]:
    return [True] * 4


def living(model: WorkerModel, prefix: Prefix) -> str:
    """How many prefixes there are in the process."""
    return str(model.read([prefix], ["Do: living"], 3, every)[0].text)  # type: ignore[union-attr]


def test_it_says_the_same_of_itself(started: Start) -> None:
    model = started("load")
    check_model("plain", model)
    assert (model.key, model.prompt_set) == ("plain", "bagel")
    assert (model.capabilities, model.identity) == (Here.capabilities, Here.identity)
    assert model.capabilities.settings["mode"] == Setting(default="blend", choices=("blend", "only"))


def test_it_keeps_to_every_rule(started: Start) -> None:
    found = {finding.rule: finding.status for finding in check_conformance(started("load"))}
    rules = dict.fromkeys(RULES, "passed")
    assert found == rules | {"reading values": "not declared", "native": "not declared"}


def test_results_are_the_same_to_the_bits(started: Start, pictures: list[Image.Image]) -> None:
    there, here = started("load"), Here()
    made: list[list[Any]] = []
    shown: list[list[Any]] = []
    for model in (there, here):
        told: list[Any] = []
        shown.append(told)

        def on_step(done: int, total: int, told: list[Any] = told) -> list[bool]:
            told.append(("step", done, total))
            return [True, done < 2, True, True]

        def on_preview(done: int, total: int, picture: Image.Image, told: list[Any] = told) -> None:
            told.append(("preview", done, total, picture.mode, picture.size, picture.tobytes()))

        firsts = model.extend([None] * 4, pictures)
        texts = model.extend(firsts, ["The original:"] * 4, "read")
        both = model.extend(texts, pictures[::-1], "read")
        drawn_on = model.extend([None] * 4, pictures, "draw")
        asked = ["Where is it?", "Which?", "Schöne Größe?", "…"]
        sampler = complete_sampler(model.capabilities, Wanted(steps=3, preset="fine"), "plain")
        drawings = model.draw(
            drawn_on, asked, sampler, [1, 2, 3, 4], on_step, ["", "hm", "", ""], [on_preview, None, on_preview, None]
        )
        made.append(
            [
                [prefix.pictures for prefix in both],
                model.read(both, asked, 6, on_step),
                model.read(firsts, asked, 6, every, 2.5, [1, 2, 3, 4]),
                model.score(both, asked, [["red", "it is"], ["unheard"], [], ["blue", "no", "yes"]]),
                [model.count_tokens("it is red"), model.unknown_words("Where is the Zebra?")],
                [model.out_of_domain(prefix) for prefix in both],
                [picture and (picture.mode, picture.size, picture.tobytes()) for picture in drawings],
            ]
        )
    assert made[0] == made[1] and shown[0] == shown[1]
    assert made[0][-1][1] is None and len(shown[0]) > 9, "what nobody waits for is left out, and steps are told"


def test_what_a_prefix_keeps_alive_counts_in_both_processes(started: Start, pictures: list[Image.Image]) -> None:
    model = started("load")
    first = model.extend([None], pictures[:1])
    assert first[0].nbytes == 1000 + 24 * 16 * 3
    assert model.extend(first, ["four"])[0].nbytes == 1004


ODD: dict[str, tuple[Callable[[WorkerModel, list[Prefix]], Any], str]] = {
    "draw": (
        lambda model, seen: model.draw(seen, ["?"], Wanted(steps=1), [1], every),
        "`draw` gives pictures of Pillow, or None for a request left out, but 'RGBA picture of 4x4' came",
    ),
    "read": (lambda model, seen: model.read(seen, ["?"], 1, every), "`read` gives a `Reading` with a text"),
    "extend": (lambda model, seen: seen, "`nbytes` of a prefix is a number of bytes, but it is None"),
    "score": (lambda model, seen: model.score(seen, ["?"], [["a"]]), "`score` gives a list, but '<object obje"),
}


@pytest.mark.parametrize("method", ODD)
def test_what_is_none_of_the_protocol_is_named_by_the_rule(
    method: str, started: Start, pictures: list[Image.Image]
) -> None:
    model = started("load_odd")
    use, told = ODD[method]
    with pytest.raises(ProtocolError) as refused:
        given = use(model, model.extend([None], pictures[:1]))
        check_results("plain", method, given, 1)
        check_result("plain", method, given[0])
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("load_unheard", "`capabilities` has what g2u.models.protocol.Capabilities has, but 'flies' came"),
        ("load_wrong", "but max_batch is wrong: Input should be a valid integer"),
    ],
)
def test_a_model_that_says_of_itself_what_it_cannot_is_refused(function: str, told: str, started: Start) -> None:
    with pytest.raises(ProtocolError) as refused:
        started(function)
    assert told in str(refused.value)


def test_a_method_that_is_declared_and_not_there_is_missed(started: Start) -> None:
    with pytest.raises(ProtocolError, match="declares `scores` has the method `score`, but"):
        check_model("plain", started("load_scoreless"))


def message(head: Any, pictures: Sequence[Image.Image] = ()) -> bytes:
    """As it is sent, without its length."""
    here, there = socket.socketpair()
    with here, there:
        child.send(here, head, pictures)
        (length,) = struct.unpack("<Q", there.recv(8))
        return there.recv(length, socket.MSG_WAITALL)


def test_messages_are_files_of_safetensors(pictures: list[Image.Image]) -> None:
    sent = message({"call": "draw", "ä": [None, 0.1]}, pictures[:2])
    tensors = load(sent)
    assert sorted(tensors) == ["0", "1"]
    for number, picture in enumerate(pictures[:2]):
        assert tensors[str(number)].dtype == torch.uint8
        assert np.array_equal(tensors[str(number)].numpy(), np.asarray(picture))
    top = json.loads(sent[8 : 8 + struct.unpack_from("<Q", sent)[0]])
    assert json.loads(top["__metadata__"]["head"]) == {"call": "draw", "ä": [None, 0.1]}


def test_a_message_comes_as_it_was_sent(pictures: list[Image.Image]) -> None:
    here, there = socket.socketpair()
    with here, there:
        child.send(here, {"result": [-math.inf]}, pictures[:1])
        head, came = child.receive(there)
        assert head == {"result": [-math.inf]} and came[0].tobytes() == pictures[0].tobytes()
        here.close()
        with pytest.raises(EOFError):
            child.receive(there)


def framed(top: object, data: bytes = b"") -> bytes:
    header = json.dumps(top).encode()
    return struct.pack("<QQ", 8 + len(header) + len(data), len(header)) + header + data


HEAD = {"head": "{}"}


def test_a_picture_that_is_not_rgb_is_not_sent(pictures: list[Image.Image]) -> None:
    here, there = socket.socketpair()
    with here, there:
        with pytest.raises(TypeError, match="mode RGBA"):
            child.send(here, {}, [pictures[0], pictures[1].convert("RGBA")])
        here.close()
        assert there.recv(1) == b""


NO_MESSAGES = {
    "endless": struct.pack("<Q", 2**40),
    "too short": struct.pack("<Q", 3) + b"abc",
    "not JSON": struct.pack("<QQ", 12, 4) + b"{{{{",
    "no head": framed({}),
    "a list": framed([]),
    "a head that is no object": framed({"__metadata__": {"head": "[]"}}),
    "a picture without its bytes": framed(
        {"__metadata__": HEAD, "0": {"dtype": "U8", "shape": [4, 4, 3], "data_offsets": [0, 48]}}, b"few"
    ),
    "a picture of no size": framed(
        {"__metadata__": HEAD, "0": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}, b"four"
    ),
    "another name": framed({"__metadata__": HEAD, "first": {}}),
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_message_is_refused(name: str) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.sendall(NO_MESSAGES[name])
        with pytest.raises(ValueError):
            child.receive(there)


def test_what_is_too_large_is_refused_before_it_is_sent(
    started: Start, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = started()
    kept = model.extend([None] * 2, pictures[:2])
    assert living(model, kept[0]) == "2"
    kept.pop()
    gc.collect()
    monkeypatch.setattr(child, "MOST_BYTES", 1500)
    with pytest.raises(BudgetError, match=r"larger than the 1,500 that are taken.* Ask with fewer or smaller pictures"):
        model.extend([None] * 4, pictures)
    assert living(model, kept[0]) == "1", "the next call frees what this one was to free"


def test_the_file_of_the_process_needs_neither_g2u_nor_a_new_python() -> None:
    source = Path(child.__file__).read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 10))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"PIL"} and not {"pickle", "marshal", "shelve"} & imported
