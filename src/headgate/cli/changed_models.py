"""Says which models were pulled anew under their names, to whoever looks at what was recorded: what was found before is left out."""

from typing import TYPE_CHECKING

from headgate.cli.common import say

if TYPE_CHECKING:
    from headgate.config.compile import Config


def say_changes(config: "Config", since: float) -> None:
    """A note for each model of which another version was seen after a Unix time, by its newest change.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from datetime import UTC, datetime

    from headgate.config.zones import zone_of
    from headgate.ledger.versions import changes_by_name

    zone = zone_of(config.timezone) or UTC
    for name, seen in dict(changes_by_name(config.ledger.path, config.policy.named)).items():
        if seen > since:
            day = datetime.fromtimestamp(seen, zone)
            say(
                f"note: another version of {name} lies under its name since {day:%Y-%m-%d %H:%M}; "
                "what was found of the one before is left out"
            )
