"""Which requests are audited: chance, with a probability that is known for each.

Most requests cost one random number and one comparison here. The probabilities follow from what the ledger tells of earlier traffic
and audits (`core.sampling`), and are looked at anew every hour, because the first audits of a stratum say most. This module does not
know what a request is (`auditing`).
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from headgate.config.audit import AuditSettings
from headgate.core.errors import LedgerError
from headgate.core.sampling import Known, Stratum, shares, unseen
from headgate.core.words import AuditKind
from headgate.ledger.audits import MILLION
from headgate.ledger.sealing import Seal

HOUR: Final = 3_600.0


class Sampling:
    """The chances of a gate's requests.

    Args:
        settings: [audit] of the config.
        seal: seals what is kept; None keeps it as it is.
        chance: a random number, 0 up to but not 1.
    """

    def __init__(
        self, settings: AuditSettings, seal: Seal | None = None, chance: Callable[[], float] = random.random
    ) -> None:
        self.chance = chance
        self.seal = seal
        self.keep = settings.keep
        """Seconds for which what an audit needs is kept."""
        self.samples: dict[AuditKind, float] = {
            "fallback": settings.sample,
            "local": settings.local_sample if settings.checks_local else 0.0,
        }
        self.learn({})

    def learn(self, known: Mapping[Stratum, Known]) -> None:
        """From now on the probabilities are those that follow from these counts."""
        self._shares: dict[Stratum, float] = {}
        self._unseen: dict[AuditKind, float] = {}
        for kind, sample in self.samples.items():
            own = {stratum: counts for stratum, counts in known.items() if stratum.kind == kind}
            found = {stratum: _in_millionths(share) for stratum, share in shares(sample, own).items()}
            self._shares.update(found)
            self._unseen[kind] = unseen(_in_millionths(sample), found.values())
        self.highest = max(self._unseen.values())
        """No request is chosen with more."""

    def probability(self, stratum: Stratum) -> float:
        """With which each request of this stratum is chosen."""
        found = self._shares.get(stratum)
        return self._unseen[stratum.kind] if found is None else found


async def keep_learning(sampling: Sampling, read: Callable[[], Mapping[Stratum, Known]]) -> None:
    """Look at the counts now and every hour until cancelled. While they cannot be read, all stays as it was."""
    while True:
        with suppress(LedgerError):
            sampling.learn(await asyncio.to_thread(read))
        await asyncio.sleep(HOUR)


def _in_millionths(probability: float) -> float:
    """Whole ones, as the ledger keeps them, so that what is kept is what was thrown for."""
    return max(1, round(probability * MILLION)) / MILLION if probability else 0.0
