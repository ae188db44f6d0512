"""A ledger as a busy office makes one: four models, working hours, reasons to fall back, and one task that home does badly."""

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import time

from headgate.core.audits import Material, Said
from headgate.core.material import material_bytes
from headgate.core.types import (
    Attempt,
    Candidate,
    Decision,
    Failure,
    Message,
    Model,
    Outcome,
    Price,
    Request,
    Signals,
    Text,
    Usage,
    Verdict,
)
from headgate.ledger.opening import open_for_writing
from headgate.ledger.writer import LedgerWriter

FREE = Price(input=0.0, output=0.0, cache_read=0.0, source="local")

MODELS = (
    Model(name="llama", engine="ollama", engine_kind="ollama", id="llama3.1:8b", local=True, price=FREE),
    Model(name="phi", engine="lmstudio", engine_kind="lmstudio", id="phi-3-mini", local=True, price=FREE),
    Model(name="coder", engine="ollama", engine_kind="ollama", id="qwen2.5-coder:7b", local=True, price=FREE),
    Model(
        name="claude",
        engine="anthropic",
        engine_kind="anthropic",
        id="claude-sonnet-5-5",
        local=False,
        price=Price(input=2.0, output=10.0, cache_read=0.1, date="2026-11-23", source="list"),
    ),
    Model(
        name="gpt-4o",
        engine="openai",
        engine_kind="openai",
        id="gpt-4o",
        local=False,
        price=Price(input=2.5, output=10.0, cache_read=1.25, date="2026-11-23", source="list"),
    ),
)
"""The last one is the baseline."""

TASKS = {
    # task: share, model, share of answers that a check rejects
    "classification": (0.30, "phi", 0.02),
    "summarization": (0.22, "llama", 0.05),
    "chat": (0.18, "llama", 0.04),
    "code": (0.14, "coder", 0.24),
    "extraction": (0.10, "phi", 0.03),
    None: (0.06, "llama", 0.05),
}
CHECKS = ("not-empty", "not-cut-off", "asked-format")
ANSWERS = {"phi": (0.18, 0.5), "llama": (0.4, 1.6), "coder": (0.6, 2.2), "claude": (0.9, 3.4)}
"""Seconds that a model takes, from and to."""
REFUSED = Failure(reason="refused", detail="Ollama at 127.0.0.1:11434 refused the connection", seconds=0.002)


def week_of_requests(number, until, days=7, seed=1):
    """`number` outcomes received in the `days` before `until` (Unix time), oldest first."""
    chance = random.Random(seed)
    end = datetime.fromtimestamp(until, UTC)
    moments = sorted(_moment(chance, end, days) for _ in range(number))
    return [_outcome(chance, i, at) for i, at in enumerate(moments)]


def _moment(chance, end, days):
    while True:
        at = end - timedelta(seconds=chance.uniform(0, days * 86_400))
        busy = (1.0 if 8 <= at.hour < 18 else 0.12) * (1.0 if at.weekday() < 5 else 0.25)
        if chance.random() < busy:
            return at.timestamp()


def _outcome(chance, i, received):
    task = chance.choices(list(TASKS), [share for share, _, _ in TASKS.values()])[0]
    _, local, rejected = TASKS[task]
    tokens = int(chance.lognormvariate(6.3, 0.8)) + 20
    answer = int(chance.lognormvariate(4.6, 0.7)) + 4
    attempts = []
    fallback = limit = None
    now = 0.0006
    if tokens > 4000:
        fallback, limit = "token count", 4000
        route, why = "long prompts", f"{tokens:,} tokens are more than 4,000"
        candidates = (Candidate(model="claude", estimate=_paid(tokens, answer)),)
    else:
        route = {"code": "code", "classification": "labels"}.get(task, "everything else")
        why = f"the task is {task}" if route != "everything else" else "no other route matches"
        candidates = (
            Candidate(model=local, estimate=0.0),
            Candidate(model="claude", estimate=_paid(tokens, answer)),
        )
        if chance.random() < 0.012:
            attempts.append(Attempt(model=local, started=now, ended=now + 0.002, cost=0.0, failure=REFUSED))
            fallback = "engine unavailable"
        else:
            bad = chance.random() < rejected
            attempts.append(_attempt(chance, local, now, (tokens, answer), bad=bad))
            fallback = "quality check failed" if bad else None
        now = attempts[-1].ended + 0.0004
    if fallback:
        attempts.append(_attempt(chance, "claude", now, (tokens, answer), bad=False))
    last = attempts[-1]
    return Outcome(
        id=f"{int(received * 1000):011x}{i:08x}",
        received=received,
        asked="auto",
        stream=chance.random() < 0.5,
        signals=Signals(
            task=task,
            task_confidence=0.9 if task else 0.0,
            task_by="rules" if task else "none",
            tokens=tokens,
            tokens_exact=True,
            language="en",
        ),
        decision=Decision(
            route=route,
            why=why,
            candidates=candidates,
            checks=CHECKS,
            pass_at=0.6,
            mode="hold",
            within=60.0,
            attempts_at_most=4,
        ),
        attempts=tuple(attempts),
        status="ok",
        model=last.model,
        fallback=fallback,
        fallback_limit=limit,
        seconds=last.ended + 0.0002,
        first_token=last.first_token,
        usage=last.usage,
        cost=sum(attempt.cost for attempt in attempts),
        baseline="gpt-4o",
        baseline_cost=round((tokens * 2.5 + answer * 10.0) / 1e6, 9),
        prices_as_of="2026-11-23",
    )


def _attempt(chance, model, started, size, *, bad):
    tokens, answer = size
    low, high = ANSWERS[model]
    queued = chance.choice((0.0, 0.0, 0.0, chance.uniform(0, 0.3))) if model != "claude" else 0.0
    seconds = queued + chance.uniform(low, high)
    verdicts = tuple(Verdict(check, 1.0) for check in CHECKS[:-1])
    final = Verdict(CHECKS[-1], 0.2 if bad else 1.0, "the code does not parse: line 3" if bad else "")
    return Attempt(
        model=model,
        started=started,
        ended=started + seconds,
        queued=queued,
        first_token=started + queued + (seconds - queued) / 4,
        usage=Usage(input=tokens, output=answer),
        cost=0.0 if model != "claude" else _paid(tokens, answer),
        verdicts=(*verdicts, final),
        score=final.score,
        finish="stop",
    )


def _paid(tokens, answer):
    return round((tokens * 2.0 + answer * 10.0) / 1e6, 9)


def write_ledger(path, outcomes):
    """Write them as a gate does, and close the ledger."""
    writer = LedgerWriter(path)
    writer.start()
    writer.describe(MODELS)
    for start in range(0, len(outcomes), 5_000):
        for outcome in outcomes[start : start + 5_000]:
            assert writer.put(outcome)
        writer.flush()
    writer.close()
    assert not writer.lost


def write_audits(path, seed=3):
    """Audit a share of what is there, by known chances: of fallbacks, of which a good part was unnecessary, and of local answers."""
    chance = random.Random(seed)
    with closing(open_for_writing(path)) as db:
        for word in (
            "unnecessary",
            "necessary",
            "unclear",
            "good",
            "missed",
            "local model",
            "label",
            "person",
        ):
            db.execute("INSERT OR IGNORE INTO names (text) VALUES (?)", (word,))
        number = dict(db.execute("SELECT text, id FROM names").fetchall())
        rows = db.execute("SELECT n, fallback FROM requests WHERE model IS NOT NULL").fetchall()
        for n, fallback in rows:
            probability = 0.6 if fallback else 0.15
            if chance.random() >= probability:
                continue
            verdict = chance.choices(
                ("unnecessary", "necessary", "unclear") if fallback else ("good", "missed", "unclear"),
                (0.3, 0.6, 0.1) if fallback else (0.9, 0.07, 0.03),
            )[0]
            judge = chance.choice(("local model", "label"))
            db.execute(
                "INSERT INTO audits (request, verdict, judge, audited, cost, probability) VALUES (?, ?, ?, 0, 40000, ?)",
                (n, number[verdict], number[judge], round(probability * 1e6)),
            )
            for who in (judge, *(("person",) if chance.random() < 0.3 and verdict != "unclear" else ())):
                db.execute(
                    "INSERT INTO opinions (request, judge, verdict, given) VALUES (?, ?, ?, 0)",
                    (n, number[who], number[verdict]),
                )


PAIRS = {
    "What is the capital of Austria?": ("Vienna.", "It is Vienna."),
    "Say yes in Scots.": ("Nay.", "Aye."),
}
"""What was asked, what the model at home said, and what the paid one did."""


def write_pairs(path):
    """Keep both answers to two fallbacks, as an audit does of which no judge was sure."""
    with closing(open_for_writing(path)) as db:
        found = db.execute(
            "SELECT n, id FROM requests WHERE fallback IS NOT NULL AND n NOT IN (SELECT request FROM audits) ORDER BY n LIMIT 2"
        ).fetchall()
        for (n, id_), (asked, (local, paid)) in zip(found, PAIRS.items(), strict=True):
            material = Material(
                id=id_,
                kind="fallback",
                request=Request(
                    id=id_, asked="auto", messages=(Message(role="user", content=(Text(asked),)),)
                ),
                task="chat",
                route="everything else",
                chain=("llama", "claude"),
                said=(
                    Said(model="llama", local=True, text=local),
                    Said(model="claude", local=False, text=paid),
                ),
                answered="claude",
                pass_at=0.6,
                checks=(),
            )
            db.execute(
                "INSERT INTO audit_jobs (request, kind, probability, state, due, expires, tries, material) "
                "VALUES (?, 'fallback', 600000, 'waiting', ?, ?, 0, ?)",
                (n, *(round((time() + 30 * 86_400) * 1e6),) * 2, material_bytes(material)),
            )
