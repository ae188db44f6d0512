"""What a finding counts for as a hit: an unnecessary fallback, a missed escalation.

    findings + confusions ── judging_of() ──► Judging.count(finding) ──► Counted

A judge's verdict counts for its corrected value where labels tell how it errs (`judge_errors`), else for what it says. This module does
not know how many requests a finding stands for (`strata`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from headgate.core.audits import Finding
from headgate.core.judge_errors import Confusion, Errors, errors_by_judge
from headgate.core.judges.standing import LABELS
from headgate.core.strata import chance_of, is_clear
from headgate.core.words import AuditKind, AuditVerdict

HITS: Final[Mapping[AuditKind, AuditVerdict]] = {"fallback": "unnecessary", "local": "missed"}
"""What is counted, by the kind of audit."""


class Known(Struct, frozen=True):
    """A judge whose errors labels tell."""

    errors: Errors
    trust: Mapping[AuditVerdict, float]
    """How much of a label counts, by what the judge had said, 0-1; the rest is what the judge's verdict counts for.

    People look at some verdicts more often than at others. Were their word simply put in place of the judge's, errors of the one sort
    would be gone, and those of the other taken out twice. So the same share of labels counts of either verdict, in effect."""


class Counted(Struct, frozen=True):
    """What a finding counts for as a hit."""

    seen: float
    """By what was said, 0-1."""
    value: float
    """With a judge's errors taken out."""
    said: float = 0.0
    """By that judge alone: 1 or 0."""
    judge: str = ""
    """Whose errors; "" is nobody's."""
    believed: float = 0.0
    """How much of the value is that judge's verdict, 0-1."""


class Judging:
    """What findings count for.

    Args:
        known: the judges whose errors are taken out.
    """

    def __init__(self, known: Mapping[str, Known] = {}) -> None:
        self.known = known
        self._counted: dict[tuple[str, ...], Counted] = {}

    def count(self, finding: Finding) -> Counted:
        """What this one does. There are few that differ in what that depends on."""
        alike = finding.verdict, finding.judge, finding.judged or "", finding.judged_by
        if alike not in self._counted:
            self._counted[alike] = self._count(finding)
        return self._counted[alike]

    def _count(self, finding: Finding) -> Counted:
        label = float(is_hit(finding))
        judge, verdict = word_of_judge(finding)
        known = self.known.get(judge)
        if known is None:
            return Counted(label, label)
        said = float(verdict == HITS[finding.kind])
        trust = known.trust.get(verdict, 0.0) if finding.judge in LABELS else 0.0
        corrected = known.errors.corrected(said)
        return Counted(
            said + trust * (label - said), corrected + trust * (label - corrected), said, judge, 1.0 - trust
        )


def judging_of(findings: Sequence[Finding], confusions: Mapping[str, Confusion], kind: AuditKind) -> Judging:
    """What these findings count for, with the errors taken out of those judges that labels tell enough of."""
    told: dict[str, dict[AuditVerdict, list[int]]] = {}
    for one in findings:
        if not is_clear(one) or chance_of(one) is None:
            continue
        judge, verdict = word_of_judge(one)
        labelled = told.setdefault(judge, {}).setdefault(verdict, [0, 0])
        labelled[one.judge in LABELS] += 1
    found = {}
    for judge, errors in errors_by_judge(confusions, kind).items():
        shares = {verdict: many / (few + many) for verdict, (few, many) in told.get(judge, {}).items()}
        least = min(shares.values(), default=0.0)
        found[judge] = Known(errors, {verdict: least / share for verdict, share in shares.items() if share})
    return Judging(found)


def word_of_judge(finding: Finding) -> tuple[str, AuditVerdict]:
    """Who has judged it and how, whatever a person or a caller has said after him."""
    if finding.judged is None:
        return finding.judge, finding.verdict
    return finding.judged_by, finding.judged


NONE: Final = Counted(0.0, 0.0)
"""What is no hit, whoever errs."""


def is_hit(finding: Finding) -> bool:
    """Whether it is what the audit looks for."""
    return finding.verdict == HITS[finding.kind]
