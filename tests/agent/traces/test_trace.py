"""A trace is what was written, also when the writing was cut off."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from g2u.errors import OutputError, TraceError
from g2u.pictures.store import ImageStore
from g2u.traces.records import (
    AnswerRecord,
    DecisionRecord,
    DirectRecord,
    DomainRecord,
    RoundRecord,
    StopRecord,
    environment,
    new_run_id,
)
from g2u.traces.trace import Trace, TraceWriter, read_trace, store_of
from tests.runs import drawing, events, header, write_run

STATUS = {0: "unfinished", 1: "unfinished", 4: "unfinished", 5: "done"}


def lines(trace: Trace) -> list[bytes]:
    return (trace.folder / "trace.jsonl").read_bytes().splitlines(keepends=True)


def rewrite(trace: Trace, data: bytes) -> Trace:
    (trace.folder / "trace.jsonl").write_bytes(data)
    return read_trace(trace.folder)


def test_a_trace_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    original = store.add_image(drawing("red"))
    top = header(original, question="Où?\u2028\n\t“disc” \U0001f534")
    written = events(store, original)
    with TraceWriter(tmp_path / "run", top) as writer:
        for event in written:
            writer.write(event)
    trace = read_trace(tmp_path / "run")
    assert trace.header == top
    assert trace.direct and trace.answer
    assert written == [
        DirectRecord(answer=trace.direct),
        *(RoundRecord(round=round) for round in trace.rounds),
        AnswerRecord(answer=trace.answer),
        trace.result,
    ]
    assert (trace.stops, trace.damaged, trace.status, trace.imagined) == ([], "", "done", True)
    assert trace.header.config == top.config  # a `Context` again, ready to run


def test_each_line_is_plain_json_without_pixels(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    kinds = [json.loads(line, parse_constant=refuse)["kind"] for line in lines(trace)]
    assert kinds == ["header", "direct", "round", "round", "answer", "result"]
    assert sum(map(len, lines(trace))) < 10_000


@pytest.mark.parametrize("upto", STATUS)
def test_a_run_that_was_stopped_is_valid_so_far(tmp_path: Path, upto: int) -> None:
    trace, _ = write_run(tmp_path, upto=upto)
    assert trace.status == STATUS[upto]
    assert len(lines(trace)) == upto + 1


@pytest.mark.parametrize(
    ("cause", "status"), [("cancelled", "cancelled"), ("error", "error"), ("rounds", "unfinished")]
)
def test_a_stop_says_why(tmp_path: Path, cause: str, status: str) -> None:
    stop = StopRecord.model_validate({"cause": cause, "message": "why"})
    with TraceWriter(tmp_path / "run", header(ImageStore(tmp_path).add_image(drawing("red")))) as writer:
        writer.write(stop)
    trace = read_trace(tmp_path / "run")
    assert (trace.stops, trace.status) == ([stop], status)


def test_any_cut_of_the_last_line_leaves_the_rest(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path, question="Où est le disque?", upto=1)
    head, last = lines(trace)
    for cut in range(1, len(last) - 1):
        damaged = rewrite(trace, head + last[:cut])
        assert damaged.direct is None
        assert damaged.header == trace.header
        assert "Line 2 of 2" in damaged.damaged
    assert rewrite(trace, head + last[:-1]).damaged == ""  # only the line break is missing


@pytest.mark.parametrize(
    ("damage", "fragment"),
    [
        (lambda it: b"", "does not start with its one header"),
        (lambda it: it[0][:-9], "Line 1 of 1"),
        (lambda it: b"".join(it[1:]), "does not start with its one header"),
        (lambda it: b"".join([it[0], it[0]]), "does not start with its one header"),
        (lambda it: b"".join([it[0], it[1][:-9] + b"\n", it[2]]), "Line 2 of 3"),
        (lambda it: it[0].replace(b'"format":2', b'"format":1'), "another version"),
        (lambda it: b"".join([it[0], b'{"kind":"dream"}\n']), "Line 2 of 2"),
        (lambda it: b"".join([it[0], it[1].replace(b'"text":"red"', b'"text":5')]), "answer.text"),
        (lambda it: it[0].replace(b'"sha256":"', b'"sha256":"../'), "sha256"),
        (lambda it: b"\xff\xfe" * 40, "Line 1 of 1"),
    ],
    ids=["empty", "cut", "headless", "twice", "middle", "version", "kind", "type", "path", "binary"],
)
def test_damage_elsewhere_is_an_error(tmp_path: Path, damage: Callable[[list[bytes]], bytes], fragment: str) -> None:
    trace, _ = write_run(tmp_path)
    with pytest.raises(TraceError) as caught:
        rewrite(trace, damage(lines(trace)))
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_trace_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="There is no trace at"):
        read_trace(tmp_path / "nowhere")


def test_a_trace_is_never_written_over(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    with pytest.raises(OutputError, match="File exists"):
        TraceWriter(trace.folder, trace.header)
    assert read_trace(trace.folder) == trace


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    with pytest.raises(OutputError, match="Cannot write"):
        TraceWriter(trace.folder / "trace.jsonl" / "run", trace.header)


def writer_process(tmp_path: Path, end: str) -> tuple[subprocess.CompletedProcess[str], Trace]:
    """A process that writes a header and one event, then does what `end` says; and the trace that it leaves."""
    trace, _ = write_run(tmp_path, upto=0)
    code = f"""
import os, pathlib, resource, signal, sys
from g2u.traces.records import StopRecord
from g2u.traces.trace import TraceWriter, read_trace
old, new = map(pathlib.Path, sys.argv[1:])
with TraceWriter(new, read_trace(old).header) as writer:
    writer.write(StopRecord(cause="seconds"))
    {end}
"""
    command = [sys.executable, "-c", code, str(trace.folder), str(tmp_path / "new")]
    return subprocess.run(command, capture_output=True, text=True), read_trace(tmp_path / "new")


def test_every_line_survives_a_kill(tmp_path: Path) -> None:
    process, trace = writer_process(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert process.returncode == -9
    assert (trace.damaged, [stop.cause for stop in trace.stops]) == ("", ["seconds"])


def test_a_full_disk_is_an_error_and_leaves_a_valid_trace(tmp_path: Path) -> None:
    full = "size = writer.path.stat().st_size + 9; resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))"
    process, trace = writer_process(tmp_path, f"{full}; writer.write(StopRecord(cause='error'))")
    assert "\ng2u.errors.OutputError: Cannot write" in process.stderr
    assert "Line 3 of 3" in trace.damaged
    assert [stop.cause for stop in trace.stops] == ["seconds"]


def test_run_ids_are_unique_and_sort_by_time() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_run_id(), range(2000)))
    assert len(set(ids)) == 2000
    first, last = new_run_id(), new_run_id()
    assert first[:19] <= last[:19]
    assert max(map(len, ids)) == min(map(len, ids)) == len("20260131-235959-999-01234567")


def test_pictures_have_names(tmp_path: Path) -> None:
    trace, store = write_run(tmp_path)
    thoughts = [round.thought for round in trace.rounds]
    assert [trace.name_of(ref) for ref in (trace.header.pictures[0], *thoughts) if ref] == [
        "original",
        "thought 1",
        "thought 2",
    ]
    assert trace.name_of(store.add_image(drawing("black"))) == "another picture"


@pytest.mark.parametrize("beside", ["whole", "other pictures", "nothing"])
def test_the_store_is_the_one_beside_the_run_where_that_has_its_pictures(tmp_path: Path, beside: str) -> None:
    trace, own = write_run(tmp_path / "recorded")
    top = trace.header.model_copy(update={"config": replace(trace.header.config, store=str(own.root))})
    with TraceWriter(tmp_path / "runs" / "run", top) as writer:
        for round in trace.rounds:
            writer.write(RoundRecord(round=round))
    moved = tmp_path / "runs" / "pictures"
    if beside == "whole":
        own.root.rename(moved)
    elif beside == "other pictures":
        ImageStore(moved).add_image(drawing("black"))
    store = store_of(read_trace(tmp_path / "runs" / "run"))
    assert store.root == (moved if beside == "whole" else own.root)
    assert all(store.open(round.thought) for round in trace.rounds if round.thought)


@pytest.mark.parametrize(("ended", "under_way"), [([], 1), ([1], 2), ([1, 2], None)])
def test_a_decision_is_under_way_until_its_round_is_over(
    tmp_path: Path, ended: list[int], under_way: int | None
) -> None:
    whole, _ = write_run(tmp_path)
    decisions = [DecisionRecord(round=round.number, decision=round.decision) for round in whole.rounds]
    with TraceWriter(tmp_path / "run", whole.header) as writer:
        for record, round in zip(decisions, whole.rounds, strict=True):
            if round.number <= len(ended) + 1:
                writer.write(record)
            if round.number in ended:
                writer.write(RoundRecord(round=round))
    trace = read_trace(tmp_path / "run")
    assert trace.decisions == decisions[: len(ended) + 1]
    assert trace.under_way == (decisions[under_way - 1] if under_way else None)


@pytest.mark.parametrize("share", [None, 0.0, 1.0])
def test_what_the_model_does_not_know_is_kept(tmp_path: Path, share: float | None) -> None:
    top = header(ImageStore(tmp_path).add_image(drawing("red"))).model_copy(update={"out_of_vocabulary": ["disc"]})
    with TraceWriter(tmp_path / "run", top) as writer:
        if share is not None:
            writer.write(DomainRecord(out_of_domain=share))
    trace = read_trace(tmp_path / "run")
    assert (trace.header.out_of_vocabulary, trace.out_of_domain) == (["disc"], share)
    assert len(trace.caveats) == 1 + (share == 1.0)


def test_the_environment_names_what_decides_the_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("G2U_DEVICE", "cpu")
    found = environment()
    assert (found["G2U_DEVICE"], int(found["threads"]) > 0, bool(found["cuda"])) == ("cpu", True, True)
    assert found["diffusers"][0].isdigit()


def test_timings_follow_the_run(tmp_path: Path) -> None:
    trace, _ = write_run(tmp_path)
    steps = dict(trace.timings)
    assert steps["generate 2"] == 0.4
    assert steps["direct answer"] == 0.5
    assert len(steps) == 8
