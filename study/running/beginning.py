"""The beginning of a run: all that can be refused is refused before the folder of the study is touched."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from g2u import prompts
from g2u.edits.library import EditLibrary
from g2u.engine.registry import get_engine
from g2u.errors import StudyError
from g2u.models.device import find_device
from g2u.pictures.store import ImageStore
from g2u.version import __version__
from g2u.world.judging.metrics import torchmetrics

from ..grid.arms import Study
from ..grid.items import Noted, is_there, make_items
from ..grid.records import Header, ItemRecord
from .answering import Answerer
from .folder import header_in, keep, keep_pictures, locked, read_asked, read_lines
from .growth import count_of, parts_with, refuse_other_items, union
from .jobs import Job, count_own, jobs
from .sources import code_of


@dataclass(frozen=True)
class Plan:
    """What a run is to ask, all of it checked."""

    found: Header | None
    """The study of the folder before; `None` where there was none."""
    header: Header
    """The study as it is from now on."""
    items: Sequence[ItemRecord]
    answerer: Answerer
    skipped: Sequence[str]
    """Names of arms that the model cannot be asked now."""

    @property
    def jobs(self) -> list[Job]:
        """Every answer that is to be had in all, by earlier runs and by this one."""
        arms = [arm for arm in self.header.study.arms if arm.name not in self.skipped]
        return list(jobs(arms, self.items, self.header.asked))


@asynccontextmanager
async def begun(study: Study | None, folder: Path) -> AsyncIterator[Plan]:
    """Hold the folder of a study that is begun, gone on with or grown.

    Args:
        study: What is asked beside what the folder asks already; `None` for no more than that.
        folder: New, or of a study that can grow so.

    Raises:
        G2UError: As `runner.run`, and then nothing was written.
    """
    with tempfile.TemporaryDirectory(prefix="g2u-") as place:
        made = ImageStore(place)
        plan = await planned(study, folder, made)
        with locked(folder):
            if header_in(folder) != plan.found:  # another process was quicker
                plan = await planned(study, folder, made)
            await asyncio.to_thread(_keep, plan, folder, made)
            yield plan


async def planned(study: Study | None, folder: Path, made: ImageStore) -> Plan:
    """What a run would ask; writes nothing.

    Args:
        study: As for `begun`.
        folder: As for `begun`.
        made: For the pictures of its items.

    Raises:
        G2UError: It cannot be run.
    """
    found = header_in(folder)
    asked = study or (found.study if found else None)
    if asked is None:
        raise StudyError(
            f"There is no study in {str(folder)!r}.", "Name one: `g2u study run --preset quick --out DIR`."
        )
    if asked.items.of_world:
        torchmetrics()  # refuses before anything is drawn
    header = await header_of(asked)
    had: list[ItemRecord] = []
    if found:
        header = header.model_copy(update={"g2u": found.g2u, "study": union(folder, found, header)})
        had = read_asked(folder, found)
    most = max(count_of(grid.items) or 0 for grid in (asked, header.study))
    noted = Noted(found.versions, found.passed_over) if found else Noted()
    items = await asyncio.to_thread(_items, header.study, most, had, made, noted)
    parts = parts_with(found, had, study, items)
    grid = header.study
    answerer = Answerer(grid, items, folder)
    skipped = await answerer.skipped()
    ran = {line.arm for line in read_lines(folder)[0]}
    if len(skipped) == len(grid.arms) and not ran:
        arm, reason = next(iter(skipped.items()))
        message = f"The model {grid.model!r} can be asked none of the {len(skipped)} arms; {arm}: {reason}"
        raise StudyError(message, "`g2u models` lists the models, `g2u study arms` the arms.")
    told = {arm: reason for arm, reason in skipped.items() if arm not in ran}
    said = {"versions": noted.versions, "passed_over": noted.passed_over}
    header = header.model_copy(update={"asked": parts, "skipped": told, **said})
    return Plan(found, header, items, answerer, list(skipped))


def _items(study: Study, most: int, had: Sequence[ItemRecord], made: ImageStore, noted: Noted) -> list[ItemRecord]:
    """All questions: those that were there, made again to see whether they are still the same, and new ones.

    A file that is gone can hold no others: what the folder has of it is asked then, where that is as many as named.

    Raises:
        StudyError: They cannot be made, or those that were there are others now.
    """
    if had and not study.items.of_world and not is_there(study.items) and most <= count_own(had):
        return list(had)
    now = Noted()
    items = make_items(study.items, made, now)
    refuse_other_items(study.items, had, items)
    noted.versions, noted.passed_over = now.versions, now.passed_over
    return items


def _keep(plan: Plan, folder: Path, made: ImageStore) -> None:
    """Write down what is asked, its pictures first."""
    keep_pictures(folder, plan.items, made)
    keep(folder, plan.header, plan.items)


async def header_of(study: Study) -> Header:
    """What decides the answers of a study here, but for its items and what is skipped; loads the model.

    Raises:
        G2UError: The model cannot be loaded.
    """
    model = await get_engine(study.model, study.weights).ready()
    own_edits = EditLibrary.load().digest
    return Header(
        g2u=__version__,
        study=study,
        model=model.identity,
        edits=model.capabilities.edits,
        prompts=prompts.digest() | ({"$G2U_EDITS": own_edits} if own_edits else {}),
        code=code_of(type(model)),
        device=find_device().type,
        items="",
    )
