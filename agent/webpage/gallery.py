"""Pictures of the world to begin with: one of every task, each with something that stands between it and its answer."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from g2u.world.items.items import Item, case_name, sample
from g2u.world.items.tasks import TASKS

from ..pictures.store import ImageStore

SIZE: Final = len(TASKS)
"""Pictures that there are: one of every task."""

_LOCK: Final = threading.Lock()
# A forked process must not find it held by a thread that it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)
_MADE: Final[dict[ImageStore, list[dict[str, Any]]]] = {}


def gallery(store: ImageStore) -> list[dict[str, Any]]:
    """The pictures with their questions, made on the first call; they are put into the store.

    Args:
        store: From which the page shows pictures.
    """
    with _LOCK:
        if store not in _MADE:
            _MADE[store] = [_entry(item, store) for item in _items()]
        return _MADE[store]


def _items() -> list[Item]:
    """Held-out pictures, picked by a rule and not by hand: the conditions of the tasks take turns."""
    alone = {name: [case for case in task.cases if len(case) == 1] for name, task in TASKS.items()}
    return [
        sample(task, seed, fault=case_name(cases[seed % len(cases)]))
        for seed, (task, cases) in enumerate(alone.items())
    ]


def _entry(item: Item, store: ImageStore) -> dict[str, Any]:
    return {
        "picture": store.add_image(item.picture).model_dump(),
        "task": item.task,
        "fault": item.fault,
        "question": item.question,
        "options": item.options,
        "answer": item.answer,
    }
