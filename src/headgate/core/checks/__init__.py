"""The checks: pure functions that look at a model's answer and say how good it is, in 0–1, and why.

    verdicts = judge((("not-empty", CHECKS["not-empty"]), …), answer)
    score(verdicts)        the lowest score; None without evidence

A score of None is "no evidence" and weighs nothing; 0.0 means measured and bad. Which checks run, and which score
passes, is the policy's business; what happens after a failed check is the cascade's. See docs/checks.md for every check.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headgate.core.checks.cited import cited
from headgate.core.checks.code import code_parses
from headgate.core.checks.confidence import confidence
from headgate.core.checks.formats import asked_format, repair
from headgate.core.checks.labels import known_label
from headgate.core.checks.language import language_matches
from headgate.core.checks.refusals import asks_back, no_refusal
from headgate.core.checks.repetition import not_repeating
from headgate.core.checks.source import grounded_numbers, shorter_than_source
from headgate.core.checks.sure import sure_label
from headgate.core.checks.text import not_cut_off, not_empty
from headgate.core.checks.tools import recover, valid_tool_calls
from headgate.core.checks.written import may_become_call
from headgate.core.types import Answer, Verdict

__all__ = ["CHECKS", "Check", "adapt", "judge", "may_become_call", "recover", "repair", "score"]

Check = Callable[[Answer], Verdict]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "not-empty": not_empty,
        "not-cut-off": not_cut_off,
        "no-refusal": no_refusal,
        "not-repeating": not_repeating,
        "asked-format": asked_format,
        "valid-tool-calls": valid_tool_calls,
        "known-label": known_label,
        "shorter-than-source": shorter_than_source,
        "grounded-numbers": grounded_numbers,
        "code-parses": code_parses,
        "language-matches": language_matches,
        "asks-back": asks_back,
        "confidence": confidence,
        "cited": cited,
        "sure-label": sure_label,
    }
)
"""Every built-in check, by the name that the config uses."""


def judge(checks: Sequence[tuple[str, Check]], answer: Answer) -> tuple[Verdict, ...]:
    """One verdict per check, in order. A check that raises is a verdict without a score, never a failed request."""
    verdicts: list[Verdict] = []
    for name, check in checks:
        try:
            verdicts.append(check(answer))
        except Exception as error:  # noqa: BLE001 - a user's own check may raise anything, and takes no request down
            reason = f"the check itself failed: {type(error).__name__}: {error}"[:300]
            verdicts.append(Verdict(name, None, reason))
    return tuple(verdicts)


def score(verdicts: Iterable[Verdict]) -> float | None:
    """The lowest score among the verdicts; None if none has a score."""
    lowest: float | None = None
    for verdict in verdicts:
        if verdict.score is not None and (lowest is None or verdict.score < lowest):
            lowest = verdict.score
    return lowest


def adapt(name: str, function: Callable[[Answer], Any]) -> Check:
    """Turn a user's own function into a check.

    The function gets the `Answer` and may return a bool (1.0 or 0.0), a number in 0–1, a pair of number and reason, a
    `Verdict` (kept, under this name), or None for "no evidence". Anything else is a verdict without a score that says so.
    """

    def check(answer: Answer) -> Verdict:
        return _verdict_from(name, function(answer))

    return check


def _verdict_from(name: str, result: Any) -> Verdict:
    reason = ""
    if isinstance(result, Verdict):
        result, reason = result.score, result.reason
    elif isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str):
        result, reason = result
    if result is None:
        return Verdict(name, None, reason)
    if isinstance(result, bool):
        return Verdict(name, float(result), reason or ("passed" if result else "did not pass"))
    if isinstance(result, (int, float)) and 0 <= result <= 1:
        return Verdict(name, float(result), reason or f"scored {result:.2f}")
    kind = f"{result}" if isinstance(result, (int, float)) else f"a {type(result).__name__}"
    return Verdict(
        name, None, f"the check returned {kind}; it must be a bool, a number in 0–1, or (number, reason)"
    )
