"""The thread that owns a model: forms batches, sees to prefixes, calls the model, hands results back."""

from __future__ import annotations

import atexit
import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from ..errors import BudgetError, DeadlineError, G2UError, HungError, ProtocolError, WorkerError
from ..models.contract import check_result, check_results
from ..models.protocol import Reading, UnifiedModel
from .costs import Answered, Cost
from .counters import Tally
from .encoding import encode
from .options import EngineOptions
from .prefix_cache import PrefixCache
from .requests import Group, Request, fail, settle

WATCH_SECONDS = 0.25
"""Between two looks of the thread that watches the model's."""


@dataclass(eq=False)
class _Call:
    """A batch that is inside the model."""

    batch: list[Request]
    later: list[Request]
    """Those that come next without having been in the queue again: what is left of a batch that was halved."""
    heard: float = field(default_factory=lambda: time.monotonic())
    """When the model was called, or told of a step, last."""


class Worker:
    """Runs requests on one thread, which starts with the first of them.

    A second thread watches it. No thread can be ended from outside: one whose model hangs is left behind, its callers
    get an error, and the next request has another thread load the model anew.

    Args:
        load: Makes the model; called on the thread, again after it failed.
        options: Limits.
    """

    def __init__(self, load: Callable[[], UnifiedModel], options: EngineOptions) -> None:
        """Nothing is loaded or started yet."""
        self._load_model = load
        self._options = options
        self.closed = False
        self.begin_anew()

    def begin_anew(self) -> None:
        """Be as at the start: no thread, no model, nobody waiting, nothing counted, and no lock held.

        So it goes in a forked process, which gets a copy of everything but the thread; whatever that was about to do or
        held at that moment is not finished there by anybody.
        """
        self.tally = Tally()
        self._inherited = (
            vars(self).get("_model"),
            vars(self).get("_cache"),
        )  # not freed, as a device may not be touched
        self._model: UnifiedModel | None = None
        self._cache = PrefixCache(0)
        self._changed = threading.Condition()
        self._queue: deque[Request] = deque()
        self._loading: list[Future[UnifiedModel]] = []
        self._crowd = 0
        self._call: _Call | None = None
        self._thread: threading.Thread | None = None

    @property
    def holds_model(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def silent_seconds(self) -> float:
        """For how long the model has been inside a call without a sign of life; 0 where it is in none."""
        call = self._call
        return time.monotonic() - call.heard if call else 0.0

    def loaded(self) -> Future[UnifiedModel]:
        """The model, as soon as it is there.

        Raises:
            RuntimeError: The engine is closed.
        """
        future: Future[UnifiedModel] = Future()
        with self._changed:
            if self._model is None:
                self._wake()
                self._loading.append(future)
            else:
                future.set_result(self._model)
        return future

    def submit(self, request: Request) -> None:
        """Queue a request; the model must be loaded.

        Raises:
            RuntimeError: The engine is closed.
        """
        request.future.add_done_callback(self._count_outcome)
        with self._changed:
            self._wake()
            self._queue.append(request)

    def close(self) -> None:
        """End the thread, between two steps if the model is busy, and free the model. Whoever waits gets an error.

        A model that does not come back within `EngineOptions.grace_seconds` is left behind.
        """
        with self._changed:
            self.closed = True
            self._changed.notify_all()
            thread, model = self._thread, self._model
        if thread is not threading.current_thread():
            if thread is not None:
                thread.join(self._options.grace_seconds)
            self._end()  # the thread has done it, unless it is away, or was left behind meanwhile
            if thread is not None and thread.is_alive():
                _leave_alone(model)
        atexit.unregister(self.close)

    def _wake(self) -> None:
        if self.closed:
            raise RuntimeError("This engine is closed.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="g2u-engine", daemon=True)
            # A thread that is inside the model while the interpreter is taken down can crash the process.
            atexit.register(self.close)
            self._thread.start()
            watch = threading.Thread(target=self._watch, args=[self._thread], name="g2u-engine-watch", daemon=True)
            watch.start()
        self._changed.notify_all()

    def _count_outcome(self, future: Future[Any]) -> None:
        if future.cancelled():
            self.tally.add(cancelled=1)
        elif isinstance(future.exception(), DeadlineError):
            self.tally.add(expired=1)

    def _end(self) -> None:
        """Let go of the model, and tell everybody who waits."""
        with self._changed:
            left: list[Future[Any]] = [*self._loading, *(request.future for request in self._queue)]
            left += [request.future for request in (*self._call.batch, *self._call.later)] if self._call else []
            self._model = None
            self._cache.clear()
        for future in left:
            fail(future, _closed_meanwhile())

    # The watching thread.

    def _watch(self, watched: threading.Thread) -> None:
        """Tell whom a model that does not come back keeps waiting, and leave it behind once it hangs."""
        while watched.is_alive() and watched is self._thread:
            time.sleep(WATCH_SECONDS)
            with self._changed:
                call, waiting = self._call, list(self._queue)
            if call is None:
                continue
            for request in (*call.later, *waiting):
                request.wanted()
            for request in call.batch:
                request.wanted(self._options.grace_seconds)
            if time.monotonic() - call.heard > self._options.hang_seconds:
                self._leave(call)

    def _leave(self, call: _Call) -> None:
        """Go on without the thread that is in a call."""
        with self._changed:
            if self._call is not call:  # it came back just now
                return
            model = self._model
            self._call, self._thread, self._model, self._cache = None, None, None, PrefixCache(0)
            self._queue.extendleft(reversed(call.later))
            if (self._queue or self._loading) and not self.closed:
                self._wake()
        self.tally.add(hung=1)
        for request in call.batch:
            fail(request.future, HungError(self._options.hang_seconds))
        _leave_alone(model)

    # From here on: the worker's thread.

    @property
    def _owns(self) -> bool:
        """Whether this thread has not been left behind."""
        return threading.current_thread() is self._thread

    @contextmanager
    def _watched(self, batch: list[Request], later: list[Request]) -> Iterator[_Call]:
        """Let the batch be known as the one that is inside the model, and what comes right after it."""
        self._call = call = _Call(batch, later)
        try:
            yield call
        finally:
            with self._changed:
                if self._call is call:
                    self._call = None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._loading or self.closed or not self._owns)
                if not self._owns:  # left behind, and back now
                    return
            if self.closed:
                break
            if self._model is None:
                self._load()
            else:
                self._serve(self._model, self._take(self._model))
        self._end()

    def _load(self) -> None:
        model: UnifiedModel | None = None
        problem: BaseException | None = None
        try:
            model = self._load_model()
        except BaseException as error:  # even a panic of a Rust extension must not leave the callers waiting
            problem = error
        if model is not None and model.capabilities.prefix_cache:
            wanted = self._options.prefix_bytes
            self._cache = PrefixCache(model.capabilities.prefix_bytes if wanted is None else wanted)
        with self._changed:
            waiting: list[Future[Any]] = [*self._loading]
            self._loading.clear()
            self._model = model
            if problem is not None:  # requests wait here where their model was left behind
                waiting += [request.future for request in self._queue]
                self._queue.clear()
        for future in waiting:
            if problem is not None:
                fail(future, problem)
            elif model is not None:
                settle(future, model)

    def _take(self, model: UnifiedModel) -> list[Request]:
        """Take the oldest request and those that may join it.

        Lingering costs a lone caller time and wins nothing. So it happens only when more callers waited at the end of
        the last batch than have come back since: they are likely to be on their way.
        """
        with self._changed:
            if not self._queue:
                return []
            limit = min(self._options.max_batch, self._queue[0].batch_limit(model.capabilities))
            kind = self._queue[0].batch
            while sum(request.batch == kind for request in self._queue) < limit and len(self._queue) < self._crowd:
                if not self._changed.wait(self._options.linger_seconds):
                    break
            batch = [request for request in self._queue if request.batch == kind][:limit]
            self._queue = deque(request for request in self._queue if request not in batch)
        return batch

    def _serve(self, model: UnifiedModel, batch: list[Request]) -> None:
        """Settle every request of a batch, halving it while memory does not suffice or the call fails."""
        parts = deque([(batch, False)])
        while parts:
            batch, last_try = parts.popleft()
            batch = [request for request in batch if request.wanted()]
            later = [request for part, _ in parts for request in part]
            failed = self._tried(model, batch, later) if batch else ""
            if not self._owns:  # left behind: what is left over is in the queue again
                return
            if failed == "memory":
                self.tally.add(out_of_memory=1)
                self._cache.clear()
                gc.collect()  # frames that the exception went through may hold tensors in cycles
                torch.cuda.empty_cache()  # a CUDA graph that is being recorded cannot take what lies cached for others
                if last_try:
                    problem = BudgetError("Memory ran out on a single request.", "Free memory or use a smaller model.")
                    fail(batch[0].future, problem)
                    continue
            if failed:
                middle = len(batch) // 2
                parts.extendleft([(batch[middle:], len(batch) == 1), (batch[:middle], False)])

    def _tried(
        self, model: UnifiedModel, batch: list[Request], later: list[Request]
    ) -> Literal["", "memory", "a request"]:
        """Settle a batch by one call; or say what it failed by, where it is to be tried in halves.

        The next try begins outside of here, since the traceback of this one keeps tensors alive.
        """
        try:
            with self._watched(batch, later) as call:
                self._run(model, batch, call)
        except torch.OutOfMemoryError:
            return "memory"
        except BaseException as error:  # whatever a model raises, its callers must not wait for ever
            # What is wrong with one request is not the fault of others. A process that ended is not started for halves.
            if len(batch) > 1 and isinstance(error, Exception) and not isinstance(error, WorkerError):
                return "a request"
            for request in batch:
                fail(request.future, error)
        return ""

    def _run(self, model: UnifiedModel, batch: list[Request], call: _Call) -> None:
        prefixes = encode(model, batch, self._cache, self.tally)
        batch = [request for request in batch if request.wanted()]
        if not batch:
            return

        call.heard = time.monotonic()
        told = 0

        def on_step(done: int, total: int) -> list[bool]:
            nonlocal told
            call.heard = time.monotonic()
            news, told = done > told, max(done, told)  # else the model merely asks who still waits
            with self._changed:
                waiting = [*call.later, *self._queue]
            for request in waiting:
                request.wanted()  # tells whoever waited beyond the deadline now, not when the turn comes
            for request in batch:
                if self.closed:
                    fail(request.future, _closed_meanwhile())
                elif request.wanted() and news:
                    request.report(done, total)
            return [not request.future.done() for request in batch]

        group = batch[0].group
        with self.tally.call(group.kind, len(batch), [request.meter for request in batch]):
            results = group.call(model, [prefixes[request.key] for request in batch], batch, on_step)
        check_results(model.key, group.method, results, len(batch))
        self.tally.add(tokens=sum(result.tokens for result in results if isinstance(result, Reading)))
        self._crowd = len(batch) + len(self._queue)
        for request, result in zip(batch, results, strict=True):
            try:
                check_result(model.key, group.method, result, request.most)
            except ProtocolError as error:
                fail(request.future, error)
                continue
            if isinstance(result, G2UError):
                fail(request.future, result)
            elif result is None and group.method != "out_of_domain":  # meant for nobody: it may be given none
                rule = f"`{group.method}` leaves out no request that is wanted"
                fail(request.future, ProtocolError(model.key, rule, "it left one out"))
            else:
                request.meter.add(_made(group, result))
                settle(request.future, Answered(request.finished(model, result), request.meter.cost))


def _made(group: Group, result: object) -> Cost:
    """What a result counts for, beside its time."""
    return Cost(drawings=int(group.kind == "draw"), tokens=result.tokens if isinstance(result, Reading) else 0)


def _leave_alone(model: UnifiedModel | None) -> None:
    """End what a model that hangs has outside of this process, which nobody waits for any more."""
    close = getattr(model, "close", None)
    if callable(close):
        close()


def _closed_meanwhile() -> RuntimeError:
    return RuntimeError("This engine was closed while a request waited.")
