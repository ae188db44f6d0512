"""What the ledger knows of local answers: audits, which tell whether one was as good as the paid one, and checks, which only hint at it.

    read_evidence(reader, models, since, seal) → Case …

A case is one request and one model at home. Its human's words are there where the ledger keeps prompts, or where what an audit needed
has not expired yet; else only its signals are. What was found of a model that is gone from the config, or is another one now, is left
out and counted, and so is what was found before another version of it lay under its name. This module judges and learns nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import select

from headgate.core.audits import Material
from headgate.core.cascade import passes_with
from headgate.core.errors import LedgerError
from headgate.core.judges.found import says_as_good
from headgate.core.material import material_from
from headgate.core.settings import named
from headgate.core.signals import HARNESS, human_ask
from headgate.core.types import Attempt, Model, Outcome, Signals
from headgate.core.versions import digest_of, since_when
from headgate.core.words import AuditVerdict, FailureReason
from headgate.ledger.queries import Entry, Filter, LedgerReader
from headgate.ledger.schema import audit_jobs, audits
from headgate.ledger.sealing import Seal, opened
from headgate.ledger.units import MICRO
from headgate.ledger.versions import newest_versions

ITS_OWN: frozenset[FailureReason] = frozenset({"malformed", "truncated", "context_overflow"})
"""Failures that say something of the model and the request, and not of the engine's day."""

HINTS_AT_MOST = 5_000
"""Of the newest requests that nobody audited, how many are read for what their checks said."""

_TURN = re.compile(r"(?:^|\n\n)(system|developer|user|assistant|tool): ")


class Case(Struct, frozen=True, kw_only=True):
    """One request, and what is known of one model's answer to it."""

    received: float
    """Unix time."""
    model: str
    signals: Signals
    ask: str | None
    """What the human wrote; None where nobody kept it."""
    good: float | None
    """Whether the answer was as good as the paid one, by an audit; None where nobody audited it."""
    weight: float = 1.0
    """Requests that it stands for."""
    passed: bool | None
    """Whether its answer went out: its checks were content. None where the model was only asked for the audit."""
    paid: float | None = None
    """Dollars that the paid answer cost, or would have."""
    seconds: float = 0.0
    """That the attempt at home took."""


class Evidence(Struct, frozen=True):
    """All that was read."""

    cases: tuple[Case, ...]
    """The oldest first."""
    gone: Mapping[str, int]
    """Audited requests of models that the config does not have any more, or has under another id."""
    older: Mapping[str, int]
    """Audited requests that another version of the model answered, or would have, than lies under its name now."""
    unanswered: int
    """Audited requests to which no model at home has answered, then or in the audit."""
    unclear: int
    """Audited requests of which nobody can say."""
    sealed: int
    """Audited requests whose words are sealed, and no key opens them."""
    digests: Mapping[str, str] = {}
    """By model: of the version of which all this tells."""


class Audit(Struct, frozen=True):
    """A row of `audits`, in words."""

    verdict: AuditVerdict
    probability: float | None
    model: str


def read_evidence(
    reader: LedgerReader, models: Mapping[str, Model], since: float, seal: Seal | None = None
) -> Evidence:
    """Read what was received since a Unix time.

    Args:
        reader: the ledger.
        models: the config's.
        since: Unix time.
        seal: opens what was sealed for audits.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    found = read_audits(reader, since)
    asks, sealed = read_asks(reader, found, seal)
    cases: list[Case] = []
    versions = newest_versions(reader.path)
    changed = since_when(models, versions)
    gone: Counter[str] = Counter()
    older: Counter[str] = Counter()
    unanswered = unclear = 0
    for entry in reader.numbered(tuple(found)):
        audit = found[entry.n]
        name = named(audit.model or last_at_home(entry))
        as_good = says_as_good(audit.verdict)
        if as_good is None:
            unclear += 1
        elif not name:
            unanswered += 1
        elif not is_same(name, entry, models):
            gone[name] += 1
        elif entry.outcome.received < changed.get(name, 0.0):
            older[name] += 1
        else:
            weight = 1.0 if audit.probability is None else 1 / audit.probability
            cases.append(case_of(entry, name, float(as_good), weight, asks.get(entry.n)))
    for entry in reader.newest(Filter(since=since, tried_locally=True), HINTS_AT_MOST):
        name = named(last_at_home(entry))
        if entry.n in found or not name or not is_same(name, entry, models):
            continue
        if entry.outcome.received < changed.get(name, 0.0):
            continue
        case = case_of(entry, name, None, 1.0, None)
        if case.passed is not None:
            cases.append(case)
    cases.sort(key=lambda case: case.received)
    digests = {name: digest_of(model, versions) for name, model in models.items()}
    return Evidence(tuple(cases), gone, older, unanswered, unclear, sealed, digests)


def read_audits(reader: LedgerReader, since: float) -> dict[int, Audit]:
    """The audits in force of requests since a Unix time, by the requests' numbers."""
    columns = audits.c.request, audits.c.verdict, audits.c.probability, audits.c.model
    with reader.connect() as db:
        words, names = reader.words(db), reader.model_names(db)
        first = db.exec_driver_sql(
            "SELECT min(n) FROM requests WHERE received >= ?", (round(since * MICRO),)
        ).scalar_one()
        if first is None:
            return {}
        rows = db.execute(select(*columns).where(audits.c.request >= first)).all()
    return {
        row.request: Audit(
            words[row.verdict],  # type: ignore[arg-type]  # a closed list
            None if row.probability is None else row.probability / MICRO,
            "" if row.model is None else names[row.model],
        )
        for row in rows
    }


def read_asks(reader: LedgerReader, which: Iterable[int], seal: Seal | None) -> tuple[dict[int, str], int]:
    """What humans wrote in audited requests whose material is still there; and of how many it is sealed without a key."""
    asks: dict[int, str] = {}
    sealed, wanted = 0, set(which)
    query = select(audit_jobs.c.request, audit_jobs.c.material).where(audit_jobs.c.material.is_not(None))
    with reader.connect() as db:
        for row in db.execute(query):
            if row.request not in wanted:
                continue
            try:
                material: Material = material_from(opened(row.material, seal))
            except (LedgerError, msgspec.MsgspecError):
                sealed += 1
                continue
            asks[row.request] = human_ask(material.request)
    return asks, sealed


def case_of(entry: Entry, model: str, good: float | None, weight: float, ask: str | None) -> Case:
    """The case of one request and one model."""
    outcome = entry.outcome
    attempt = next((a for a in outcome.attempts if named(a.model) == model), None)
    if ask is None and outcome.prompt is not UNSET:
        ask = ask_in(outcome.prompt)
    return Case(
        received=outcome.received,
        model=model,
        signals=outcome.signals,
        ask=ask,
        good=good,
        weight=weight,
        passed=None if attempt is None else went_out(attempt, outcome),
        paid=paid_for(outcome, entry.models),
        seconds=0.0 if attempt is None else attempt.ended - attempt.started,
    )


def went_out(attempt: Attempt, outcome: Outcome) -> bool | None:
    """Whether this attempt's answer went out with a good word of its checks; None where it failed for another reason."""
    if attempt.failure is not None:
        return False if attempt.failure.reason in ITS_OWN else None
    return passes_with(attempt.score, outcome.decision.pass_at)


def paid_for(outcome: Outcome, models: Mapping[str, Model]) -> float | None:
    """Dollars that paid models took for it; of an answer from home, what the cheapest in the cloud would have, or the baseline."""
    if outcome.model is not None and (model := models.get(outcome.model)) is not None and not model.local:
        return outcome.cost
    return outcome.baseline_cost if outcome.alternative_cost is None else outcome.alternative_cost


def last_at_home(entry: Entry) -> str:
    """The last model at home that was asked; "" where none was."""
    at_home = [a.model for a in entry.outcome.attempts if (m := entry.models.get(a.model)) and m.local]
    return at_home[-1] if at_home else ""


def is_same(name: str, entry: Entry, models: Mapping[str, Model]) -> bool:
    """Whether the config still has this model, at home, as the same one that answered."""
    now = models.get(name)
    if now is None or not now.local:
        return False
    then = next((m for m in entry.models.values() if named(m.name) == name), None)
    return then is None or (then.engine, then.id) == (now.engine, now.id)


def ask_in(prompt: str) -> str:
    """What the human wrote last, in a prompt as the ledger keeps it."""
    turns = list(_TURN.finditer(prompt))
    for at in range(len(turns) - 1, -1, -1):
        if turns[at].group(1) != "user":
            continue
        end = turns[at + 1].start() if at + 1 < len(turns) else len(prompt)
        text = HARNESS.sub("", prompt[turns[at].end() : end]).strip()
        if text:
            return text
    return ""
