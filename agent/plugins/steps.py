"""A recorded run as a tree of steps with times, which exporters turn into spans.

A trace tells how long each step took, not when it began. Steps follow one another as the loop makes them, and the two
answers begin together, so that their beginnings are right up to the time between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..loop.fusions import standing
from ..loop.rounds import is_kept
from ..pictures.references import ImageRef
from ..state import Answer, Round
from ..traces.trace import Trace

Operation = Literal["invoke_agent", "chat", "execute_tool"]
"""As OpenTelemetry's conventions for generative AI name what a span is."""

Kind = Literal["run", "decide", "generate", "reflect", "direct", "answer"]

AGENT: Final = "g2u"
"""Name of the loop as an agent, and of the provider of its models."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a run."""

    kind: Kind
    operation: Operation
    about: str
    """What it was done with: name of the agent, the model or the edit."""
    begin: float
    """In seconds after the run began."""
    seconds: float
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Texts, and pictures as references."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The same."""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Numbers and names beside them."""

    @property
    def name(self) -> str:
        """As the conventions name a span: its operation and what it was done with."""
        return f"{self.operation} {self.about}"


def steps_of(trace: Trace) -> list[Step]:
    """The steps of a run: first the run itself, then the others in order, all of them its children.

    Args:
        trace: As read back; also of a run that was stopped.
    """
    top, steps = trace.header, list[Step]()
    clock = trace.result.seconds.get("domain", 0.0) if trace.result else 0.0
    for number, turn in enumerate(trace.rounds):
        seen = standing(top.pictures, [other for other in trace.rounds[:number] if is_kept(other)])
        seen[turn.decision.call.place] = turn.source
        for step in _steps_of_round(turn, seen, top.config.model, top.question, clock):
            steps.append(step)
            clock = step.begin + step.seconds
    answers = [_answer("direct", trace.direct, trace, clock), _answer("answer", trace.answer, trace, clock)]
    steps += [step for step in answers if step]
    ends = [step.begin + step.seconds for step in steps]
    whole = trace.result.seconds.get("total", 0.0) if trace.result else 0.0
    run = Step(
        kind="run",
        operation="invoke_agent",
        about=AGENT,
        begin=0.0,
        seconds=max([whole, *ends]),
        inputs={**_named(top.pictures), "question": top.question, "options": top.options},
        outputs={"answer": trace.answer.text, "direct_answer": trace.direct.text if trace.direct else ""}
        if trace.answer
        else {},
        facts={"policy": top.config.policy, "fusion": top.config.fusion, "status": trace.status, "run": top.run}
        | ({} if trace.out_of_domain is None else {"out_of_domain": trace.out_of_domain}),
    )
    return [run, *steps]


def _steps_of_round(turn: Round, seen: Sequence[ImageRef], model: str, question: str, clock: float) -> list[Step]:
    decision, verdict, steps = turn.decision, turn.verdict, list[Step]()
    facts: dict[str, Any] = _known(round=turn.number, edit=decision.edit, family=decision.family, on=decision.on)
    of_step: dict[Kind, tuple[Operation, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
        "decide": (
            "chat",
            model,
            {**_named(seen), "question": question},
            {"edit": decision.call.text, "reason": decision.reason},
            {"policy": decision.policy, "attempts": decision.attempts},
        ),
        "generate": (
            "execute_tool",
            decision.edit,
            {
                "picture": turn.source,
                "instruction": decision.instruction,
                **decision.arguments,
                **_known(on=decision.on),
            },
            {"thought": turn.thought} if turn.thought else {},
            {},
        ),
        "reflect": (
            "chat",
            model,
            {"picture": turn.source, "thought": turn.thought, "question": question},
            {"verdict": verdict.action, "reason": verdict.reason} if verdict else {},
            _known(verdict=verdict.action, sure=verdict.probabilities.get(verdict.action), change=verdict.change)
            if verdict
            else {},
        ),
    }
    for kind, (operation, about, inputs, outputs, more) in of_step.items():
        if kind in turn.seconds:
            steps.append(
                Step(
                    kind=kind,
                    operation=operation,
                    about=about,
                    begin=clock,
                    seconds=turn.seconds[kind],
                    inputs=inputs,
                    outputs=outputs,
                    facts=facts | more,
                )
            )
            clock += turn.seconds[kind]
    return steps


def _answer(kind: Literal["direct", "answer"], answer: Answer | None, trace: Trace, clock: float) -> Step | None:
    if answer is None:
        return None
    shown: dict[str, ImageRef] = {trace.name_of(ref): ref for ref in answer.pictures}
    return Step(
        kind=kind,
        operation="chat",
        about=trace.header.config.model,
        begin=clock,
        seconds=answer.seconds,
        inputs={**shown, "question": trace.header.question, "options": trace.header.options},
        outputs={"answer": answer.text},
        facts=_known(log_probability=answer.log_probability, tokens=answer.tokens, imagined=trace.is_imagined(answer)),
    )


def _named(pictures: Sequence[ImageRef]) -> dict[str, ImageRef]:
    """Pictures by name: `picture`, or of several `picture 1` and so on."""
    if len(pictures) == 1:
        return {"picture": pictures[0]}
    return {f"picture {number}": ref for number, ref in enumerate(pictures, 1)}


def _known(**facts: Any) -> dict[str, Any]:
    """Without those that a model does not tell."""
    return {name: value for name, value in facts.items() if value is not None}
