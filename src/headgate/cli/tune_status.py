"""`headgate tune --status`: the changes that were applied, and what became of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headgate.cli.common import put, put_json, say
from headgate.ledger.changes import all_changes

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.watching import AppliedChange


def show_status(config: "Config", *, as_json: bool) -> None:
    """Show all changes, the newest first.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    changes = all_changes(config.ledger.path)[::-1]
    if as_json:
        put_json({"changes": changes})
        return
    if not changes:
        say("no change was applied yet; headgate tune proposes one")
    for change in changes:
        put("\n".join(lines_of(change)))


def lines_of(change: "AppliedChange") -> list[str]:
    """One change in words."""
    day = datetime.fromtimestamp(change.applied, UTC).date().isoformat()
    settings = ", ".join(
        f"{one.place} {was.shown} -> {one.shown}"
        for one, was in zip(change.settings, change.before, strict=True)
    )
    expected = change.expected
    unpriced = f" (of {expected.unpriced:,} requests unknown)" if expected.unpriced else ""
    promised = f"{expected.dollars.expected:+,.2f} dollars a week{unpriced}, quality at least {100 * expected.quality.low:.1f} %"
    lines = [
        f"{day}  {change.state:<12}  {settings}",
        f"            expected      {promised}; the floor is {100 * change.floor:g} %",
    ]
    for look in change.looks:
        at = datetime.fromtimestamp(look.at, UTC).date().isoformat()
        seen = (
            f"quality {100 * look.quality.low:.1f} to {100 * look.quality.high:.1f} % by {look.audits} audits"
        )
        lines.append(f"            {at}    {seen}")
    if change.why:
        lines.append(f"            {change.why}")
    return lines
