"""Benches, and an end for their engines; the checkpointers that threads are kept in."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from g2u.engine.engine import Engine
from g2u.state import STATE_TYPES
from tests.databases import postgres, programs
from tests.graphs.bench import Bench, decides, draw_lighter, judges
from tests.scripted import ScriptedModel

KINDS = ("memory", "sqlite", "postgres")
"""Of checkpointers."""


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    made: list[Engine] = []
    yield made
    for engine in made:
        engine.close()


@pytest.fixture
def bench(tmp_path: Path, engines: list[Engine]) -> Any:
    def make(edits: Sequence[str], verdicts: Sequence[str], **settings: Any) -> Bench:
        model = ScriptedModel(read_script=decides(*edits), score_script=judges(*verdicts), draw_script=draw_lighter)
        return Bench(tmp_path, engines, model, **settings)

    return make


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a PostgreSQL that these tests have for themselves."""
    folder = programs()
    if folder is None:
        pytest.skip("No PostgreSQL server is installed here: `apt-get install postgresql` brings one.")
    with postgres(folder) as address:
        yield address


def serde() -> JsonPlusSerializer:
    return JsonPlusSerializer(allowed_msgpack_modules=STATE_TYPES)


@pytest.fixture(params=KINDS)
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[Any]]:
    """Opens the checkpointer anew each time, as another process would; that in memory is one and the same."""
    kept = InMemorySaver(serde=serde())
    address = request.getfixturevalue("database") if request.param == "postgres" else ""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        if request.param == "memory":
            yield kept
        elif request.param == "sqlite":
            async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as found:
                found.serde = serde()
                yield found
        else:
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            async with AsyncPostgresSaver.from_conn_string(address, serde=serde()) as found:
                await found.setup()
                yield found

    return opened


@pytest.fixture(params=KINDS)
def saver_without_await(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractContextManager[Any]]:
    """The same for graphs that are called without `await`."""
    kept = InMemorySaver(serde=serde())
    address = request.getfixturevalue("database") if request.param == "postgres" else ""

    @contextmanager
    def opened() -> Iterator[Any]:
        if request.param == "memory":
            yield kept
        elif request.param == "sqlite":
            with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as found:
                found.serde = serde()
                yield found
        else:
            from langgraph.checkpoint.postgres import PostgresSaver

            with PostgresSaver.from_conn_string(address) as found:
                found.serde = serde()
                found.setup()
                yield found

    return opened
