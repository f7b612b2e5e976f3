"""Recorded runs as MLflow traces, with their pictures as attachments that MLflow's own pages show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from ..errors import MissingExtraError, OutputError
from ..pictures.references import ImageRef
from ..pictures.store import ImageStore
from ..traces.trace import Trace, store_of
from .blocks import png_within
from .steps import Operation, steps_of

try:
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.tracing.attachments import Attachment
except ImportError as error:
    raise MissingExtraError("Sending runs to MLflow", "mlflow-skinny", "mlflow") from error

TAG: Final = "g2u.run"
"""Of a trace: the run that it is."""

LARGEST: Final = 1024
"""Longest side of an attached picture, in pixels."""

_TYPES: Final[Mapping[Operation, str]] = {"invoke_agent": "AGENT", "chat": "CHAT_MODEL", "execute_tool": "TOOL"}


def export_mlflow(traces: Iterable[Trace], experiment: str = "g2u") -> list[str]:
    """Write runs to the tracking store that `$MLFLOW_TRACKING_URI` or `mlflow.set_tracking_uri` names.

    A run that the experiment has already is left out.

    Args:
        traces: Of the runs.
        experiment: Its name; made where it does not exist.

    Returns:
        Identifiers of the traces that were made.

    Raises:
        MissingExtraError: The extra `mlflow` is not installed.
        OutputError: The store did not take them.
        PictureError: A picture of a run is not in its store.
    """
    try:
        place = mlflow.MlflowClient().get_experiment_by_name(experiment)
        number = place.experiment_id if place else mlflow.create_experiment(experiment)
        made = [_export(trace, number) for trace in traces if not _known(trace, number)]
        mlflow.flush_trace_async_logging()
    except MlflowException as error:
        first = str(error).splitlines()[0]
        hint = "Set $MLFLOW_TRACKING_URI, such as sqlite:///mlflow.db or http://localhost:5000."
        raise OutputError(f"MLflow did not take the runs: {first}", hint) from error
    return made


def _known(trace: Trace, experiment: str) -> bool:
    found = mlflow.MlflowClient().search_traces(
        locations=[experiment], filter_string=f"tag.`{TAG}` = '{trace.header.run}'", max_results=1, include_spans=False
    )
    return bool(found)


def _export(trace: Trace, experiment: str) -> str:
    run, *steps = steps_of(trace)
    store, start = store_of(trace), int(trace.header.created.timestamp() * 1e9)

    def at(seconds: float) -> int:
        return start + int(seconds * 1e9)

    root = mlflow.start_span_no_context(
        run.name,
        _TYPES[run.operation],
        inputs=_with_pictures(run.inputs, store),
        attributes=cast(dict[str, Any], run.facts),
        tags={TAG: trace.header.run},
        experiment_id=experiment,
        start_time_ns=at(0.0),
    )
    for step in steps:
        child = mlflow.start_span_no_context(
            step.kind if step.operation == "chat" else step.about,
            _TYPES[step.operation],
            parent_span=root,
            inputs=_with_pictures(step.inputs, store),
            attributes=cast(dict[str, Any], step.facts),
            start_time_ns=at(step.begin),
        )
        child.set_outputs(_with_pictures(step.outputs, store))
        child.end(end_time_ns=at(step.begin + step.seconds))
    root.set_outputs(dict(run.outputs))
    status = "ERROR" if trace.status == "error" else "OK"
    root.end(status=status, end_time_ns=at(run.seconds))
    return str(root.trace_id)


def _with_pictures(values: Mapping[str, Any], store: ImageStore) -> dict[str, Any]:
    return {
        name: Attachment(content_type="image/png", content_bytes=png_within(store, value, LARGEST))
        if isinstance(value, ImageRef)
        else value
        for name, value in values.items()
    }
