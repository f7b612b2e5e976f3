"""What lands in the folder of a run: its settings, and for each document its drawings and what was asked and replied.

| path in the folder | holds |
|---|---|
| `g2u.json` | settings, identity of the model, version, prompts |
| `TASK/SPLIT/DOCUMENT/item.json` | what was asked and drawn, and the reply before and after it was cut |
| `TASK/SPLIT/DOCUMENT/drawing-1.png`, ... | the drawings, in order |
| `TASK/SPLIT/errors.jsonl` | one line for each item that failed |
| `pictures/` | all pictures by their hash, originals among them |
| `runs/` | in the mode `agent`, the trace of each item |

A document that is asked several times in one call has the folders `DOCUMENT`, `DOCUMENT-2` and so on, and where a task
asks in rounds, one for each round in its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import to_json

from g2u import prompts

from ...edits.library import EditLibrary
from ...errors import G2UError, SettingError
from ...files import check_folder, unwritable, write_atomic
from ...models.protocol import UnifiedModel
from ...pictures.references import ImageRef
from ...pictures.store import ImageStore, get_store
from ...version import __version__
from .settings import Settings

RECORD: Final = "g2u.json"
ITEM: Final = "item.json"
ERRORS: Final = "errors.jsonl"
PICTURES: Final = "pictures"
RUNS: Final = "runs"
"""Names inside the folder."""


@dataclass(frozen=True)
class Place:
    """Which document of which task."""

    task: str
    split: str
    document: int
    again: int = 0
    """How often it was asked before in the same call, as tasks do that want several replies."""
    round: int = 0
    """Of a task that asks in rounds, 1 for the first; 0 for others."""

    @property
    def split_path(self) -> Path:
        """Folder of all documents of the split, inside the folder of the run; names of tasks are no paths."""
        return Path(_name(self.task), _name(self.split))

    @property
    def path(self) -> Path:
        """Folder of the document, inside that of the run."""
        own = self.split_path / (f"{self.document}-{self.again + 1}" if self.again else str(self.document))
        return own / f"round-{self.round}" if self.round else own


class Folder:
    """The folder of a run.

    Args:
        root: Where it is.
    """

    def __init__(self, root: Path) -> None:
        """Touch nothing yet."""
        self.root = root
        self.store: ImageStore = get_store(root / PICTURES)
        self._lock = threading.Lock()

    def begin(self, settings: Settings, model: UnifiedModel) -> None:
        """Write down what decides the replies.

        Raises:
            SettingError: The folder holds a run with others: its drawings would be replaced.
            OutputError: It cannot be written to.
        """
        check_folder(self.root)
        record = json.loads(to_json(_record(settings, model), inf_nan_mode="strings"))
        path = self.root / RECORD
        try:
            before = json.loads(path.read_bytes())
        except FileNotFoundError:
            before = None
        except (OSError, ValueError) as error:
            raise SettingError(f"{str(path)!r} cannot be read: {error}.", "Name a new folder: `out=DIR`.") from error
        if before is not None and before != record:
            other = [name for name in record if before.get(name) != record[name]]
            other += [
                f"settings.{name}"
                for name, value in record["settings"].items()
                if (before.get("settings") or {}).get(name, ...) != value
            ]
            what = f"{str(self.root)!r} holds a run that differs in {', '.join(other) or 'what it says of itself'}."
            raise SettingError(what, "Name a new folder: `out=DIR`.")
        write_atomic(path, json.dumps(record, indent=2).encode())

    def keep(self, place: Place, drawings: list[ImageRef], item: Mapping[str, Any]) -> None:
        """Write down an item that was answered, its drawings first.

        Raises:
            OutputError: The disk is full or gone.
        """
        folder = self.root / place.path
        for number, drawing in enumerate(drawings, 1):
            write_atomic(folder / f"drawing-{number}.png", self.store.path(drawing).read_bytes())
        write_atomic(folder / ITEM, to_json(item, indent=2, inf_nan_mode="strings"))

    def fail(self, place: Place, error: Exception) -> None:
        """Write down an item that failed.

        Raises:
            OutputError: The disk is full or gone.
        """
        told = error.in_full if isinstance(error, G2UError) else str(error)
        line = {
            "document": place.document,
            "again": place.again,
            "kind": type(error).__name__,
            "error": told,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        path = self.root / place.split_path / ERRORS
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, path.open("ab") as file:
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError as failure:
            raise unwritable(path, failure) from failure


def _record(settings: Settings, model: UnifiedModel) -> dict[str, Any]:
    return {
        "settings": settings.as_record() | {"reader": settings.reader_of(model.prompt_set)},
        "model": vars(model.identity),
        "g2u": __version__,
        "prompts": prompts.digest() | prompts.own_digest(model.prompt_set),
        "edits": EditLibrary.load().digest,
    }


def _name(text: str) -> str:
    """One name of a folder, whatever a task or split is called; never `.` or `..`."""
    name = quote(text, safe=" ")
    return name if name.strip(".") else name.replace(".", "%2E")
