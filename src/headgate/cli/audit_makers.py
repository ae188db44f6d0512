"""Who makes audits for `headgate audit run`: the gate that is open here, if it is of the same config, else one in this process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from headgate.cli.common import say
from headgate.cli.runfile import RunFile, ask
from headgate.cli.runner import serving

if TYPE_CHECKING:
    from headgate.client import Connections
    from headgate.config.compile import Config
    from headgate.core.words import AuditKind
    from headgate.lab.auditing.auditor import Auditor, Made
    from headgate.lab.auditing.expected import Expected

RUN = "/admin/audits/run"


class Maker(Protocol):
    """Makes audits, one after the other."""

    async def expect(self, kind: "AuditKind | None", limit: int | None) -> "Expected":
        """How many could be made now, and what that can cost at most.

        Args:
            kind: of those of one kind; None is all.
            limit: so many at most; None is all.
        """
        ...

    async def make(self, kind: "AuditKind | None") -> "Made | None":
        """Make the next one; None when none is due."""
        ...


@asynccontextmanager
async def open_maker(config: "Config") -> "AsyncGenerator[Maker]":
    """Somebody who makes audits of this config, as long as the context lasts.

    Raises:
        LedgerError: no gate is open, and its ledger cannot be opened here.
    """
    gate = serving(config)
    if gate is not None:
        from headgate.client import Connections

        connections = Connections(gate.url, gate.key)
        try:
            yield OpenMaker(gate, connections)
        finally:
            await connections.close()
        return
    from headgate.app import open_gate

    async with open_gate(config) as own:
        for note in own.notes:
            say(f"note: {note}")
        yield OwnMaker(own.auditor)


class OpenMaker:
    """A gate that is open."""

    def __init__(self, gate: RunFile, connections: "Connections") -> None:
        self._gate = gate
        self._connections = connections

    async def expect(self, kind: "AuditKind | None", limit: int | None) -> "Expected":
        """See `Maker.expect`."""
        import msgspec

        from headgate.core.errors import EngineError
        from headgate.lab.auditing.expected import Expected

        asked = [f"kind={kind}"] if kind is not None else []
        asked += [f"limit={limit}"] if limit is not None else []
        found = await asyncio.to_thread(ask, self._gate, f"{RUN}?{'&'.join(asked)}")
        if found is None:
            raise EngineError(
                f"the gate at {self._gate.url} does not say which audits wait",
                "headgate doctor says what is wrong",
            )
        return msgspec.convert(found, Expected)

    async def make(self, kind: "AuditKind | None") -> "Made | None":
        """See `Maker.make`."""
        from headgate.client import decode
        from headgate.dash.auditing import Ran

        reply = await self._connections.post(RUN, {} if kind is None else {"kind": kind})
        return decode(reply, Ran).made


class OwnMaker:
    """A gate in this process."""

    def __init__(self, auditor: "Auditor") -> None:
        self._auditor = auditor

    async def expect(self, kind: "AuditKind | None", limit: int | None) -> "Expected":
        """See `Maker.expect`."""
        from headgate.lab.auditing.expected import expect

        return await expect(self._auditor, kind, limit)

    async def make(self, kind: "AuditKind | None") -> "Made | None":
        """See `Maker.make`."""
        from headgate.ledger.audit_jobs import KINDS

        return await self._auditor.make_next(KINDS if kind is None else (kind,), displaces=True)
