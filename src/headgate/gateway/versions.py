"""Watches for models that are pulled anew under the same name while the gate is open, or were while it was closed.

Once a minute the engines at home that are up are asked what they have; another digest than before is noted in the ledger, and said.
No request waits for it, and none is looked at for it. What follows from a change is said elsewhere (`core.versions`).
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from time import time

from headgate.core.engine import find_listed
from headgate.core.errors import LedgerError
from headgate.fleet.fleet import Fleet
from headgate.ledger.versions import Changed, note_versions

LOOK_EVERY = 60.0
"""Seconds."""

log = logging.getLogger(__name__)


class VersionWatcher:
    """Who notes which versions of its models a gate has.

    Args:
        path: the ledger.
        fleet: knows its engines, and what they have.
    """

    def __init__(self, path: Path, fleet: Fleet) -> None:
        self._path = path
        self._fleet = fleet
        self._noted: dict[tuple[str, str], str] = {}
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> tuple[str, ...]:
        """Note what the engines have said when they were looked at, and go on looking; a sentence for each change.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        said = await self._note()
        self._watching = asyncio.create_task(self._watch(), name="headgate-versions")
        return said

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            for name in self._fleet.looked_at():
                if name not in self._fleet.down:
                    await self._ask(name)
            try:
                for sentence in await self._note():
                    log.warning("%s", sentence)
            except LedgerError as error:  # it is noted the next time
                log.warning("%s", error.message)

    async def _ask(self, name: str) -> None:
        """What an engine has. One that does not say, or breaks over it, is asked again in a minute."""
        try:
            await self._fleet.note_models(name)
        except Exception:
            log.exception("asking %s for its models failed", name)

    async def _note(self) -> tuple[str, ...]:
        found = self._digests()
        if found == self._noted:
            return ()
        changed = await asyncio.to_thread(note_versions, self._path, found, time())
        self._noted = found
        return tuple([sentence for one in changed for sentence in self._sentences(one)])

    def _digests(self) -> dict[tuple[str, str], str]:
        """Of the policy's models at home, as far as their engines tell."""
        found = {}
        for model in self._fleet.models.values():
            listed = find_listed(model.id, self._fleet.listed.get(model.engine, ()))
            if model.local and listed is not None and listed.digest:
                found[model.engine, model.id] = listed.digest
        return found

    def _sentences(self, changed: Changed) -> Iterable[str]:
        for model in self._fleet.models.values():
            if (model.engine, model.id) == (changed.engine, changed.id) and not model.lane_of:
                yield (
                    f"another version of {model.name} lies under its name: what was found of the one before counts no more; "
                    f"headgate models bench {model.name} measures it, headgate learn learns of it once it is audited"
                )
