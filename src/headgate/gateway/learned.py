"""The learned router of an open gate: taken up when it opens, and whenever `headgate learn --use` turns another one on.

The ledger is looked at every few seconds; a router is read and prepared on a thread, and takes the other one's place between two
requests. So it is when another version of a model was seen: of that model a router says nothing until it is learned anew. One that this
release cannot use is named once, and the rules decide alone. It does not know how a router is made.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from headgate.core.errors import LedgerError
from headgate.core.expecting import Learning
from headgate.core.router import NOT_COMPARED, Prepared, compared, usable
from headgate.core.types import Model
from headgate.core.versions import Versions
from headgate.gateway.road import Road
from headgate.ledger.routers import number_in_use, read_router
from headgate.ledger.versions import newest_versions

LOOK_EVERY = 5.0
"""Seconds."""

log = logging.getLogger(__name__)


def take_up(
    path: Path, models: Mapping[str, Model], learning: Learning, n: int | None
) -> tuple[Prepared | None, str]:
    """A router, ready to be asked, or None; and a sentence where one is turned on and cannot be used.

    Args:
        path: the ledger.
        models: the config's.
        learning: what it may do.
        n: its number; None is none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if n is None or not learning.use:
        return None, ""
    router = read_router(path, n)
    if router is None or not usable(router):
        return (
            None,
            f"router {n} was made by another version of Headgate and is not asked; run: headgate learn",
        )
    if not compared(router, learning):
        return None, f"router {n} {NOT_COMPARED}; run: headgate learn"
    prepared = Prepared(router, models, newest_versions(path))
    gone = [
        one.model for one in router.learned if one.model not in {known.model for known, _ in prepared.known}
    ]
    if gone:
        return (
            prepared,
            f"router {n} says nothing of {', '.join(gone)}: gone, or another model now; run: headgate learn",
        )
    return prepared, ""


class Following:
    """Keeps a road's router the one that is in use.

    Args:
        path: the ledger.
        road: whose router it is.
    """

    def __init__(self, path: Path, road: Road) -> None:
        self._path = path
        self._road = road
        self._seen: tuple[int | None, Versions] = None, {}
        """The router in use, and the versions of models, when it was last looked."""
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> str:
        """Take up the router in use, and go on looking; a sentence where one is turned on and cannot be used.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        said = await asyncio.to_thread(self._look)
        if self._road.policy.learning.use:
            self._watching = asyncio.create_task(self._watch(), name="headgate-router")
        return said

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                said = await asyncio.to_thread(self._look)
            except LedgerError as error:  # the router in use stays so until the ledger can be read again
                said = error.message
            if said:
                log.warning("%s", said)

    def _look(self) -> str:
        """Put another router in the place of the one before, if another is in use. On another thread: one whole value."""
        number = number_in_use(self._path)
        seen = number, newest_versions(self._path) if number is not None else {}
        if seen == self._seen:
            return ""
        policy = self._road.policy
        self._road.router, said = take_up(self._path, policy.models, policy.learning, number)
        self._seen = seen
        return said
