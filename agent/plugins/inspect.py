"""Runs and studies as logs of Inspect, with their pictures in them: one file that its viewer and its readers open.

| in the log | is |
|---|---|
| a sample | a run, or an answer of a study: item and seed are its id and epoch |
| its messages | originals and question; of each round the edit as a call of a tool, drawing and verdict; the answer |
| its scores `direct` and `imagined` | both answers, and in a study what they are worth |

A run has no right answer: there the value of a score is the answer itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, Final
from urllib.parse import quote

from g2u.study.grid.records import Line, Marks, first_value
from g2u.study.running.folder import PICTURES
from g2u.study.running.results import Results

from ..errors import MissingExtraError, SettingError
from ..files import check_folder, unwritable
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore, get_store
from ..state import Answer, Round
from ..traces.page import plain
from ..traces.trace import Trace, store_of
from ..version import __version__
from .blocks import png_within

try:
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalError,
        EvalLog,
        EvalMetric,
        EvalResults,
        EvalSample,
        EvalScore,
        EvalSpec,
        EvalStats,
        write_eval_log,
    )
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageTool,
        ChatMessageUser,
        ContentImage,
        ContentText,
        ModelOutput,
    )
    from inspect_ai.scorer import Score
    from inspect_ai.tool import ToolCall
except ImportError as error:
    raise MissingExtraError("A log of Inspect", "inspect-ai", "inspect") from error

ENDINGS: Final = (".eval", ".json")
"""Of the files that Inspect knows."""
LARGEST: Final = 768
"""Longest side of a picture in a log, in pixels."""


@dataclass(frozen=True, kw_only=True)
class _Told:
    """A run or an answer, in what both have."""

    store: ImageStore
    pictures: Sequence[ImageRef]
    question: str
    options: Sequence[str]
    rounds: Sequence[Round]
    answers: Mapping[str, Answer | None]
    """`imagined` and `direct`, in this order: Inspect shows the answer of the first score as that of the sample."""
    model: str


def export_runs(traces: Sequence[Trace], file: Path) -> Path:
    """Write runs into one log.

    Args:
        traces: Of the runs.
        file: To be written; `.eval`, or `.json` for one that people can read.

    Raises:
        SettingError: The file has another ending.
        OutputError: It cannot be written.
        PictureError: A picture of a run is not in its store.
    """
    samples = [_sample_of_run(trace) for trace in traces]
    top = traces[0].header
    models = dict.fromkeys(trace.header.config.model for trace in traces)
    spec = _spec("g2u", file.stem, "+".join(models), len(samples), top.created, {})
    done = all(trace.status == "done" for trace in traces)
    stats = _stats(top.created, sum(sample.total_time or 0.0 for sample in samples))
    return _write(EvalLog(eval=spec, status="success" if done else "error", samples=samples, stats=stats), file)


def export_study(results: Results, folder: Path) -> list[Path]:
    """Write the answers of a study, a log for each of its arms.

    Args:
        results: Of the study.
        folder: For the logs, `ARM.eval` each; Inspect's viewer shows all of a folder.

    Raises:
        OutputError: One cannot be written.
        PictureError: A picture of the study is not in its folder.
    """
    header, files = results.header, list[Path]()
    for arm in results.arms:
        lines = [line for line in results.lines if line.arm == arm.name and not line.left_out]
        if not lines:
            continue
        spec = _spec(
            f"g2u {arm.name}",
            header.study.name,
            header.study.model,
            len({line.item for line in lines}),
            datetime.now(UTC),
            {name: plain(value) for name, value in arm.model_dump().items() if value not in (None, "")},
        )
        log = EvalLog(
            eval=spec,
            status="success",
            samples=[_sample_of_line(results, line) for line in lines],
            results=_results_of(lines),
            stats=_stats(datetime.now(UTC), sum(line.cost.seconds for line in lines)),
        )
        files.append(_write(log, folder / f"{quote(arm.name, safe=' +,=()')}.eval"))
    return files


def _sample_of_run(trace: Trace) -> EvalSample:
    top = trace.header
    told = _Told(
        store=store_of(trace),
        pictures=top.pictures,
        question=top.question,
        options=top.options,
        rounds=trace.rounds,
        answers={"imagined": trace.answer, "direct": trace.direct},
        model=top.config.model,
    )
    scores = {
        name: _score(trace, answer.text or answer.missing, answer) for name, answer in told.answers.items() if answer
    }
    failed = [stop.message for stop in trace.stops if stop.cause in ("error", "cancelled")]
    return _sample(
        told,
        id=top.run,
        epoch=1,
        target="",
        scores=scores,
        error=failed[-1] if failed else "",
        total_time=trace.result.seconds.get("total") if trace.result else None,
        metadata={
            "settings": {name: plain(value) for name, value in vars(top.config).items()},
            "model": vars(top.model),
            "g2u": top.g2u,
            "status": trace.status,
            "caveats": trace.caveats,
            "seconds": dict(trace.timings),
        },
    )


def _score(trace: Trace, value: str | float, answer: Answer) -> Score:
    seen = ", ".join(map(trace.name_of, answer.pictures))
    return Score(value=value, answer=answer.text, explanation=f"Read {seen}.", metadata=_sure(answer))


def _sample_of_line(results: Results, line: Line) -> EvalSample:
    item = results.items[line.item]
    told = _Told(
        store=get_store(results.folder / PICTURES),
        pictures=item.pictures,
        question=item.question,
        options=item.options,
        rounds=line.rounds,
        answers={"imagined": line.answer, "direct": line.direct},
        model=results.header.study.model,
    )
    scores = {}
    for name, marks in _marks(line).items():
        answer, value = told.answers[name], first_value(marks)
        if answer and value is not None:
            scores[name] = Score(value=value, answer=answer.text or answer.missing, metadata=_sure(answer))
    return _sample(
        told,
        id=line.item,
        epoch=line.seed + 1,
        target=item.answers,
        scores=scores,
        error=line.error,
        total_time=line.cost.seconds,
        metadata={
            "seed": line.seed,
            "groups": item.groups,
            "gold_edits": item.gold_edits,
            "fidelity": {str(number): measures for number, measures in line.fidelity.items()},
            "cost": vars(line.cost),
            "stopped": line.stopped,
            "unscored": line.unscored,
        },
    )


def _marks(line: Line) -> dict[str, Marks]:
    return {"imagined": line.marks, "direct": line.direct_marks}


def _results_of(lines: Sequence[Line]) -> EvalResults:
    """Means of the values; a failure is worth nothing, as in the tables of the study."""
    scores = []
    for name, values in {
        "direct": [line.direct_score for line in lines],
        "imagined": [None if line.unscored else line.score for line in lines],
    }.items():
        known = [value for value in values if value is not None]
        metrics = {"mean": EvalMetric(name="mean", value=fmean(known))} if known else {}
        scores.append(
            EvalScore(
                name=name,
                scorer=name,
                metrics=metrics,
                scored_samples=len(known),
                unscored_samples=len(values) - len(known),
            )
        )
    return EvalResults(total_samples=len(lines), completed_samples=sum(not line.error for line in lines), scores=scores)


def _sample(told: _Told, *, error: str, **rest: Any) -> EvalSample:
    asked = [*_images(told.store, told.pictures), ContentText(text=told.question)]
    final = told.answers["imagined"]
    said = (final.text or final.missing) if final else ""
    return EvalSample(
        input=[ChatMessageUser(content=asked)],
        choices=list(told.options) or None,
        messages=[ChatMessageUser(content=asked), *_messages(told), *([_assistant(told, said)] if final else [])],
        output=ModelOutput.from_content(told.model, said) if final else ModelOutput(model=told.model),
        error=EvalError(message=error, traceback="", traceback_ansi="") if error else None,
        **rest,
    )


def _messages(told: _Told) -> Iterable[ChatMessageAssistant | ChatMessageTool]:
    """Each round: the call with its reason, the drawing, the verdict."""
    for turn in told.rounds:
        decision, name = turn.decision, f"round-{turn.number}"
        if turn.thought is None:
            yield _assistant(told, f"{decision.call.short}. {decision.reason}".strip())
            continue
        arguments = {**decision.arguments, **({"on": decision.on} if decision.on else {})}
        call = ToolCall(id=name, function=decision.edit, arguments=arguments | {"instruction": decision.instruction})
        yield _assistant(told, decision.reason or "", tool_calls=[call])
        drawing = _images(told.store, [turn.thought])
        yield ChatMessageTool(content=list(drawing), tool_call_id=name, function=decision.edit)
        if verdict := turn.verdict:
            sure = f" ({verdict.probabilities[verdict.action]:.0%})" if verdict.probabilities else ""
            yield _assistant(told, f"Verdict: {verdict.action}{sure}. {verdict.reason}".strip())


def _assistant(told: _Told, text: str, **more: Any) -> ChatMessageAssistant:
    return ChatMessageAssistant(content=text, model=told.model, **more)


def _images(store: ImageStore, refs: Iterable[ImageRef]) -> list[ContentImage]:
    found = (base64.b64encode(png_within(store, ref, LARGEST)).decode() for ref in refs)
    return [ContentImage(image=f"data:image/png;base64,{data}") for data in found]


def _sure(answer: Answer) -> dict[str, Any]:
    told = {"probabilities": answer.probabilities, "written": answer.written, "reasoning": answer.reasoning}
    return {name: value for name, value in told.items() if value}


def _spec(
    task: str, source: str, model: str, samples: int, created: datetime, arguments: Mapping[str, Any]
) -> EvalSpec:
    own = hashlib.sha256(f"{task} {source} {model} {created.isoformat()}".encode()).hexdigest()[:22]
    return EvalSpec(
        created=created.isoformat(timespec="seconds"),
        eval_id=own,
        run_id=own,
        task_id=own,
        task=task,
        task_args=dict(arguments),
        dataset=EvalDataset(name=source, samples=samples),
        model=f"g2u/{model}",
        config=EvalConfig(),
        packages={"g2u": __version__},
    )


def _stats(began: datetime, seconds: float) -> EvalStats:
    """When it began, and when it would have ended with one after the other."""
    ended = began + timedelta(seconds=seconds)
    return EvalStats(started_at=began.isoformat(), completed_at=ended.isoformat())


def _write(log: EvalLog, file: Path) -> Path:
    if file.suffix not in ENDINGS:
        hint = "Name it such as `runs.eval`."
        raise SettingError(f"{file.name!r} is no name of a log of Inspect: {' or '.join(ENDINGS)} was expected.", hint)
    check_folder(file.parent)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_eval_log(log, str(file))
    except OSError as error:
        raise unwritable(file, error) from error
    return file
