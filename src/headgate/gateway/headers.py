"""The headers that say who answered, why, and at what price; and errors with theirs.

Header lines are bytes, each line with its line break, as `caller.Call` takes them.
"""

from functools import lru_cache

from headgate.core.types import Outcome
from headgate.core.words import DialectName
from headgate.gateway.caller import Call
from headgate.reports.savings import saved_by
from headgate.wire import faults
from headgate.wire.faults import Fault

MOST_ADJUSTED = 1000
"""Characters of a header that tells what was adjusted; the ledger has it all."""

JSON = b"content-type: application/json\r\n"


def told(outcome: Outcome) -> bytes:
    """Who answered, why, and at what price."""
    lines = (
        b"x-headgate-request-id: %b\r\nx-headgate-route: %b\r\nx-headgate-reason: %b\r\nx-headgate-status: %b\r\n"
        b"x-headgate-attempts: %d\r\nx-headgate-cost: %b\r\n"
    ) % (
        outcome.id.encode(),
        ascii_bytes(outcome.decision.route),
        ascii_bytes(outcome.fallback or outcome.decision.why),
        outcome.status.encode(),
        len(outcome.attempts),
        dollars(outcome.cost),
    )
    if outcome.decision.notice:
        lines += b"x-headgate-notice: %b\r\n" % ascii_bytes(outcome.decision.notice)
    if outcome.model is None:
        return lines
    more = b"%bx-headgate-model: %b\r\nx-headgate-saved: %b\r\n"
    lines = more % (lines, ascii_bytes(outcome.model), dollars(saved_by(outcome)))
    if outcome.adjusted:
        lines += b"x-headgate-adjusted: %b\r\n" % ascii_bytes("; ".join(outcome.adjusted)[:MOST_ADJUSTED])
    return lines


def dollars(amount: float | None) -> bytes:
    """Money for a header: "0.003500", or "unknown"."""
    return b"unknown" if amount is None else b"%.6f" % amount


@lru_cache(maxsize=1024)
def ascii_bytes(text: str) -> bytes:
    """Text for a header, where only printable ASCII travels safely."""
    if not text.isprintable():
        text = "".join([letter if letter.isprintable() else " " for letter in text])
    return text.encode("ascii", "replace")


def answer_fault(
    call: Call, fault: Fault, lines: bytes = b"", dialect: DialectName = "openai", request_id: str = ""
) -> None:
    """Send an error in the envelope of the caller's dialect."""
    status = faults.status_of(fault, dialect)
    call.answer(status, JSON + faults.header_lines(fault) + lines, faults.encode(fault, dialect, request_id))
