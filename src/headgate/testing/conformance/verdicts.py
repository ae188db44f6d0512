"""The judge: a reply, beside what would have been right → survived, failed loudly, failed silently.

Strict on purpose. An answer is clean only if it ends as the protocol says, and a clean answer is right only if every character
of it is. It does not know which gateway it judges.
"""

import enum
import json
import re
from typing import Any

from msgspec import Struct

from headgate.testing.conformance import cases
from headgate.testing.conformance.cases import Case
from headgate.testing.conformance.reading import Received, Said, error_in, read


class Verdict(enum.StrEnum):
    """From the best to the worst."""

    SURVIVED = "survived"
    """A clean answer, and the right one."""
    LOUD = "loud"
    """An error, or visibly no clean answer: the caller knows."""
    HUNG = "hung"
    """Nothing ended within the limit. The caller knows, late."""
    UNREACHED = "unreached"
    """The faulty model was never asked, so nothing was shown. Says something about the set-up."""
    SILENT = "silent"
    """A clean answer that is wrong. The caller does not know."""


class Finding(Struct, frozen=True):
    """What came of a case."""

    case: str
    stream: bool
    verdict: Verdict
    detail: str
    """What was seen, in a few words."""
    seconds: float = 0.0
    attempts: int | None = None
    """How often the faulty model was asked; known when the good one answered."""


def judge(case: Case, request_id: str, received: Received) -> Finding:
    """The verdict on one reply."""
    if received.end == "late":
        return _finding(case, Verdict.HUNG, "no end within the limit")
    if received.end == "unreachable":
        return _finding(case, Verdict.LOUD, f"the gateway cannot be reached: {received.why}")
    if received.status and not 200 <= received.status < 300:
        return _finding(case, Verdict.LOUD, f"HTTP {received.status}: {error_in(received.body)}")
    if received.end == "cut":
        return _finding(case, Verdict.LOUD, received.why)
    said = read(received, stream=case.stream)
    if said.trouble:
        return _finding(case, Verdict.LOUD, said.trouble)
    by_the_second = _asked_before(case, request_id, said)
    if by_the_second is None and not (_is_by_the_first(request_id, said) and not case.tool):
        return _finding(case, Verdict.SILENT, _what_is_wrong(request_id, said))
    if by_the_second == 0:
        return _finding(case, Verdict.UNREACHED, "the faulty model was not asked")
    if case.name == "usage-missing" and said.usage is None:
        return _finding(case, Verdict.LOUD, "visibly no usage")
    if case.name == "usage-missing" and _counts_nothing(said.usage):
        return _finding(case, Verdict.SILENT, "a usage of zero tokens")
    who = "the first model's answer" if by_the_second is None else "the fallback's answer"
    return Finding(case.name, case.stream, Verdict.SURVIVED, who, attempts=by_the_second)


def worst(findings: list[Finding]) -> Finding:
    """The worst of several requests of one case; some that never met the fault do not matter, if others did."""
    met = [finding for finding in findings if finding.verdict is not Verdict.UNREACHED] or findings
    order = list(Verdict)
    return max(met, key=lambda finding: order.index(finding.verdict))


def _finding(case: Case, verdict: Verdict, detail: str) -> Finding:
    return Finding(case.name, case.stream, verdict, detail)


def _asked_before(case: Case, request_id: str, said: Said) -> int | None:
    """How often the first model had been asked when the second gave the right answer; None if it is not that."""
    if case.tool:
        if len(said.calls) != 1 or said.calls[0][0] != "book_passage":
            return None
        try:
            given = json.loads(said.calls[0][1])
        except ValueError:
            return None
        asked = given.get("asked_before") if isinstance(given, dict) else None
        return asked if isinstance(asked, int) and given == cases.arguments(request_id, asked) else None
    tail = re.escape(cases.BY_THE_SECOND).replace(r"\{\}", r"(\d+)")
    found = re.fullmatch(re.escape(cases.note(request_id)) + tail, said.text)
    return int(found[1]) if found and not said.calls else None


def _is_by_the_first(request_id: str, said: Said) -> bool:
    return said.text == cases.note(request_id) + cases.BY_THE_FIRST and not said.calls


def _what_is_wrong(request_id: str, said: Said) -> str:
    """A clean answer that is wrong: how?"""
    if said.calls:
        return f"a tool call with bad arguments passed on: {said.calls[0][1][:80]}"
    if not said.text:
        return "an empty answer"
    if said.text == cases.BY_THE_IMPOSTOR:
        return f"another model's answer, given as that of {said.model or 'nobody'}"
    if said.text == cases.AFTER_A_CUT:
        return "an answer to a prompt that was cut"
    if cases.note(request_id).startswith(said.text):
        return f"{len(said.text)} characters of an answer that was cut, as if it were whole"
    return f"a mangled answer of {len(said.text)} characters"


def _counts_nothing(usage: dict[str, Any] | None) -> bool:
    """Whether it says that nothing was used: unknown is not zero, and a bill that adds this up is wrong."""
    return usage is not None and not (usage.get("prompt_tokens") and usage.get("completion_tokens"))
