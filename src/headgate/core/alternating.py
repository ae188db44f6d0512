"""Which audited answers a person is asked about: verdicts take turns, so that rare errors of judges are seen, too.

Of a hundred answers from home a judge calls a few bad, and half of these perhaps wrongly. Were people shown answers as they come, they
would see one of those in an hour, and the estimate of missed escalations would rest on it. So verdicts take turns, and the missed
escalations have two of three: what is not known of a judge is mostly how many of these are false alarms. Among the answers of one
verdict chance chooses, and that is what makes it possible to take out the judge's errors (`judge_errors`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from headgate.core.words import AuditVerdict

Asked = TypeVar("Asked")

ORDER: Final[tuple[AuditVerdict, ...]] = (
    "unclear",
    "missed",
    "unnecessary",
    "missed",
    "missed",
    "necessary",
    "missed",
    "missed",
    "good",
    "missed",
)
"""Of a round: first what nobody was sure of."""


def alternating(by_verdict: Mapping[AuditVerdict, Iterable[Asked]]) -> Iterator[Asked]:
    """Round after round, until there are no more.

    Args:
        by_verdict: the answers of each, in an order of chance.
    """
    left = {verdict: iter(by_verdict[verdict]) for verdict in ORDER if verdict in by_verdict}
    while left:
        for verdict in ORDER:
            if verdict in left:
                try:
                    yield next(left[verdict])
                except StopIteration:
                    del left[verdict]
