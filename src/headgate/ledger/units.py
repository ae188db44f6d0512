"""The units in which the ledger keeps figures: as integers, so that sums are exact."""

from typing import Final

MICRO: Final = 1_000_000
"""Times and durations are kept in microseconds."""
NANO: Final = 1_000_000_000
"""Money is kept in nano-dollars."""
FINE: Final = 10_000
"""Scores and log-probabilities are kept in ten-thousandths."""
CONFIDENCE: Final = 1_000
"""The classifier's confidence is kept in thousandths."""
