"""What the ledger tells of the strata from which audits are chosen: their traffic, and what was found in them.

Read once an hour by an open gate, so it looks at the newest requests and at the audits of a season, and not at all there ever were.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from headgate.core.policy import BY_NAME
from headgate.core.sampling import UNKNOWN, Known, Stratum
from headgate.ledger.opening import open_for_reading, unreadable
from headgate.ledger.units import MICRO

NEWEST: Final = 20_000
"""Requests that tell how the traffic is made up."""
SEASON: Final = 90 * 86_400
"""Seconds of requests whose audits tell what is found, back from the newest request."""

_STRATUM: Final = "iif(r.fallback IS NULL, 'local', 'fallback'), route.text, task.text"
_NAMES: Final = "JOIN names route ON route.id = r.route LEFT JOIN names task ON task.id = r.task"

_TRAFFIC: Final = f"""
    SELECT {_STRATUM}, count(*) FROM requests r {_NAMES}
    JOIN models m ON m.id = r.model JOIN names status ON status.id = r.status
    LEFT JOIN names reason ON reason.id = r.fallback
    WHERE r.n > (SELECT max(n) FROM requests) - {NEWEST} AND r.imported IS NULL AND m.kind = 'chat'
    AND (reason.text IS NOT NULL AND reason.text <> '{BY_NAME}' AND status.text IN ('ok', 'imperfect')
         OR r.fallback IS NULL AND m.local AND NOT r.local_only AND status.text = 'ok')
    GROUP BY 1, 2, 3"""  # noqa: S608 - our own names

_FOUND: Final = f"""
    SELECT {_STRATUM}, count(*), sum(verdict.text IN ('unnecessary', 'missed')) FROM audits a
    JOIN requests r ON r.n = a.request {_NAMES} JOIN names verdict ON verdict.id = a.verdict
    WHERE a.probability IS NOT NULL AND verdict.text <> 'unclear'
    AND r.received > (SELECT max(received) FROM requests) - {SEASON * MICRO}
    GROUP BY 1, 2, 3"""  # noqa: S608 - our own names


def known_strata(path: Path) -> dict[Stratum, Known]:
    """What is known of each stratum; nothing where there is no ledger.

    Raises:
        LedgerError: it cannot be read.
    """
    if not path.exists():
        return {}
    with closing(open_for_reading(path)) as db:
        try:
            strata = {Stratum(*stratum): Known(requests=n) for *stratum, n in db.execute(_TRAFFIC)}
            for *named, found, bad in db.execute(_FOUND):
                stratum = Stratum(*named)
                strata[stratum] = Known(strata.get(stratum, UNKNOWN).requests, found, bad)
        except sqlite3.Error as error:
            raise unreadable(path, error) from error
    return strata
