"""The story: a subagent classifies a thousand incoming support e-mails on the shipped models, returns structured JSON for every one of
them, and hands on those of which it is not sure."""

from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from headgate.ledger.queries import LedgerReader

pytest.importorskip("xllamacpp")

ROOT = Path(__file__).parents[2]

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks")  # programs, not a package
    import triage

ALONE = 300
"""Mails that each model gets alone, to be calibrated by and to compare the chain with."""
CATEGORIES = ["billing", "technical", "feature-request", "escalation"]


@pytest.mark.timeout(600)
async def test_a_thousand_mails_are_sorted_as_json_that_always_fits_and_the_unsure_ones_are_handed_on(
    tmp_path,
):
    given = triage.mails(1000)
    found = await triage.measure(tmp_path, given, alone=ALONE)
    schema = triage.config_in(tmp_path).policy.agents["triage"].schema
    validator = jsonschema_rs.validator_for(msgspec.json.decode(schema))
    assert len(given) == 1000
    for runs in found.values():
        assert [run.output for run in runs if not validator.is_valid(run.output)] == []
        assert {run.output["category"] for run in runs} == set(CATEGORIES)
        assert all("\n" not in run.output["reason"] for run in runs)

    chain = found["chain"]
    assert {run.status for run in chain} == {"ok", "escalated", "incomplete"}
    assert all(run.probability >= 0.6 for run in chain if run.status == "ok")
    assert all(run.output["confidence"] == round(run.probability, 2) for run in chain)
    few, beside = given[:ALONE], found | {"chain": chain[:ALONE]}
    (sure, of_sure), (unsure, of_unsure) = triage.sure_and_unsure(few, beside, "micro")
    assert of_sure + of_unsure == sum(bool(mail["categories"]) for mail in few)
    assert sure / of_sure > unsure / of_unsure + 0.1  # it hands on the mails that it gets wrong

    told = {name: triage.judged(few, runs) for name, runs in beside.items()}
    assert told["clerk"]["right"] / told["clerk"]["n"] > 0.75
    assert told["chain"]["right"] > told["micro"]["right"]

    with LedgerReader(tmp_path / "ledger.db") as reader:
        assert sum(reader.answered_since(0).values()) == 1000 + 2 * ALONE
