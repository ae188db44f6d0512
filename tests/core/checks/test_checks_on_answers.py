"""Every check against answers as models really write them: tests/data/answers.jsonl."""

from collections import Counter

import msgspec
import pytest
from build_answer import from_row, rows

from headgate.core.checks import CHECKS, recover, repair

PASS_AT = 0.60
NEEDS_EXTRA = ("```typescript", "```sql")
ROWS = rows()


def name(row):
    return f"{row['check']}-{'good' if row['good'] else 'bad'}-{row.get('note', '')[:40]}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_good_answer_passes_and_a_bad_one_does_not(row):
    if row["check"] == "code-parses" and any(mark in row["answer"] for mark in NEEDS_EXTRA):
        pytest.importorskip("sqlglot")
        pytest.importorskip("tree_sitter_typescript")
    answer = from_row(row)
    if row.get("repair"):
        answer = msgspec.structs.replace(answer, reply=repair(answer))
    if row.get("recover"):
        answer = msgspec.structs.replace(answer, reply=recover(answer))
    verdict = CHECKS[row["check"]](answer)
    passed = verdict.score is None or verdict.score >= PASS_AT
    assert passed is row["good"], verdict


def test_every_check_has_a_dozen_good_and_a_dozen_bad_answers():
    counts = Counter((row["check"], row["good"]) for row in ROWS)
    assert {check for check, _ in counts} == set(CHECKS)
    assert min(counts[check, good] for check in CHECKS for good in (True, False)) >= 12


@pytest.mark.parametrize("check", CHECKS)
def test_every_verdict_carries_the_name_of_its_check_a_score_in_bounds_and_a_reason(check):
    for row in ROWS:
        verdict = CHECKS[check](from_row(row))
        assert verdict.check == check
        assert verdict.reason
        assert verdict.score is None or 0.0 <= verdict.score <= 1.0
