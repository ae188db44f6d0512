"""Which audited answers a person is asked about: as many of each verdict, so that rare errors of judges are seen, too.

Of a hundred answers from home a judge calls a few bad, and half of these perhaps wrongly. Were people shown answers as they come, they
would see one of those in an hour, and the estimate of missed escalations would rest on it. So verdicts take turns. Among the answers of
one verdict chance chooses, and that is what makes it possible to take out the judge's errors (`judge_errors`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from headgate.core.words import AuditVerdict

Asked = TypeVar("Asked")

ORDER: Final[tuple[AuditVerdict, ...]] = ("unclear", "missed", "unnecessary", "necessary", "good")
"""Of a round: first what nobody was sure of."""


def alternating(by_verdict: Mapping[AuditVerdict, Iterable[Asked]]) -> Iterator[Asked]:
    """One of each verdict after the other, until there are no more.

    Args:
        by_verdict: the answers of each, in an order of chance.
    """
    left = [iter(by_verdict[verdict]) for verdict in ORDER if verdict in by_verdict]
    while left:
        ended = []
        for one in left:
            try:
                yield next(one)
            except StopIteration:
                ended.append(one)
        left = [one for one in left if one not in ended]
