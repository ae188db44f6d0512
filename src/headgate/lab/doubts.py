"""What the tests of a learned model say against it, and about how many audits would tell better.

It takes figures (`reliability`), and does not know how they were come by (`learning`).
"""

from math import ceil

from headgate.core.spans import Span

CALIBRATED = 0.05
"""The largest calibration error."""
MEASURED = 90
"""Rows without which it is not measured: three bins."""


def uncalibrated(error: Span, newest: Span, rows: int, audited: int) -> tuple[str, int]:
    """Why chances cannot be believed, and how many audits it would take; "" where they can.

    Args:
        error: the calibration error of all rows that were left out when they were foretold.
        newest: that of the newest ones: the world may have changed.
        rows: so many were left out.
        audited: audited answers in all.
    """
    if rows < MEASURED:
        return f"{rows} audits are too few to say how true its chances are", ceil(audited * MEASURED / rows)
    for off, which in ((error, ""), (newest, " among the newest audits")):
        if off.low > CALIBRATED:
            return (
                f"its chances are off by {off.expected:.3f}{which}, and {CALIBRATED} is allowed",
                2 * audited,
            )
    if error.expected > CALIBRATED:
        reason = f"its chances may be off by {error.expected:.3f}, and {CALIBRATED} is allowed: {rows} audits do not tell better"
        return reason, ceil(audited * max(1.25, (error.expected / CALIBRATED) ** 2))
    return "", 0


def unsorted(sorts: Span | None, audited: int, held: int) -> dict[str, object]:
    """What to say of chances that do not tell good answers from bad ones, and how many audits might."""
    if sorts is None:
        return {
            "refused": f"the {held} newest audits cannot test it: they are of one kind, or of tasks not seen before",
            "needs": 2 * audited,
        }
    reason = f"its chances do not tell good answers from bad ones (AUC {sorts.expected:.2f}, {sorts.low:.2f} to {sorts.high:.2f})"
    edge = max(0.05, sorts.expected - 0.5)
    needs = ceil(audited * min(20.0, max(1.5, ((sorts.expected - sorts.low) / edge) ** 2)))
    return {"refused": reason, "auc": sorts, "needs": needs}
