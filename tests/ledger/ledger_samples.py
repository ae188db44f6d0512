"""Outcomes as a busy week makes them: the user's split, two to three checks, sentences with figures in them."""

import random

from headgate.core.parts import WHOLE
from headgate.core.types import (
    Attempt,
    Candidate,
    Decision,
    Failure,
    Model,
    Outcome,
    Price,
    Signals,
    Usage,
    Verdict,
)

FREE = Price(input=0.0, output=0.0, cache_read=0.0, cache_write_5m=0.0, cache_write_1h=0.0, source="local")

MODELS = (
    Model(
        name="llama",
        engine="ollama",
        engine_kind="ollama",
        id="llama3.1:8b",
        local=True,
        price=FREE,
    ),
    Model(
        name="phi",
        engine="lmstudio",
        engine_kind="lmstudio",
        id="phi-3-mini-128k-instruct",
        local=True,
        display="phi-3-mini",
        price=FREE,
    ),
    Model(
        name="coder",
        engine="ollama",
        engine_kind="ollama",
        id="qwen2.5-coder:7b",
        local=True,
        price=FREE,
    ),
    Model(
        name="claude",
        engine="anthropic",
        engine_kind="anthropic",
        id="claude-sonnet-5-5",
        local=False,
        price=Price(
            input=3.0, output=15.0, cache_read=0.3, cache_write_5m=3.75, date="2025-10-13", source="list"
        ),
    ),
    Model(
        name="gpt-4o",
        engine="openai",
        engine_kind="openai",
        id="gpt-4o",
        local=False,
        price=Price(input=2.5, output=10.0, cache_read=1.25, date="2025-10-13", source="list"),
    ),
)

MONDAY = 1_760_313_600.0  # 2025-10-13 00:00 UTC, the first moment of ISO week 42

ALWAYS = ("not-empty", "not-cut-off", "no-refusal", "not-repeating", "asked-format")
TASKS = {
    "classification": ("phi", ("known-label",)),
    "sentiment": ("phi", ()),
    "summarization": ("llama", ("shorter-than-source", "grounded-numbers")),
    "code": ("coder", ("code-parses",)),
    "chat": ("llama", ()),
}


PASSED = (
    Verdict("not-empty", 1.0, "it says something"),
    Verdict("not-cut-off", 1.0, "it ends where it should"),
    Verdict("no-refusal", 1.0, "it does not decline"),
    Verdict("not-repeating", 1.0, "nothing repeats"),
    Verdict("asked-format", None, "free text was asked"),
    Verdict("confidence", None, "the engine gives no log-probabilities"),
)


def plain(number, seed=0):
    """`number` outcomes as the gate makes most: the first model's answer passes its checks."""
    chance = random.Random(seed)
    for i in range(number):
        tokens, answer = chance.randint(20, 1500), chance.randint(5, 400)
        usage = Usage(input=tokens, output=answer)
        seconds = chance.uniform(0.2, 2.0)
        yield Outcome(
            id=f"{i:016x}{chance.getrandbits(12):03x}",
            received=MONDAY + i * 7 * 86400 / number,
            asked="auto",
            stream=chance.random() < 0.5,
            signals=Signals(
                task=chance.choice(list(TASKS)),
                task_confidence=chance.random(),
                task_by="rules",
                tokens=tokens + 4,
                tokens_exact=False,
                language="en",
            ),
            decision=Decision(
                route="everything else",
                why="no other route matches",
                candidates=(
                    Candidate(model="llama", estimate=0.0),
                    Candidate(model="claude", estimate=round(tokens * 3e-6 + 0.003, 9)),
                ),
                checks=tuple(verdict.check for verdict in PASSED),
                pass_at=0.6,
                mode="peek",
                within=60.0,
                attempts_at_most=4,
            ),
            attempts=(
                Attempt(
                    model="llama",
                    started=0.0004,
                    ended=seconds,
                    first_token=seconds / 4,
                    usage=usage,
                    cost=0.0,
                    verdicts=PASSED,
                    score=1.0,
                    finish="stop",
                ),
            ),
            status="ok",
            model="llama",
            fallback=None,
            seconds=seconds + 0.0001,
            first_token=seconds + 0.0001,
            usage=usage,
            cost=0.0,
            baseline="gpt-4o",
            baseline_cost=round((tokens * 2.5 + answer * 10.0) / 1e6, 9),
            prices_as_of="2025-10-13",
        )


def attempt_of(model, checks, *, started, seconds, usage, cost, low=None, why=""):
    scores = [1.0] * len(checks)
    if low is not None:
        scores[-1] = low
    return Attempt(
        model=model,
        started=started,
        ended=started + seconds,
        queued=0.0003,
        first_token=started + seconds / 4,
        usage=usage,
        cost=cost,
        verdicts=tuple(
            Verdict(check, score, "" if score == 1.0 else why)
            for check, score in zip(checks, scores, strict=True)
        ),
        score=min(scores),
        finish="stop",
    )


def realistic(number, seed=0, attempts=None):
    """`number` outcomes; `attempts` fixes how many attempts each has, else one in four has two."""
    chance = random.Random(seed)
    for i in range(number):
        task = chance.choice(list(TASKS))
        local, own_checks = TASKS[task]
        checks = ALWAYS + own_checks
        tokens = chance.randint(40, 1900)
        answer = chance.randint(5, 600)
        two = chance.random() < 0.25 if attempts is None else attempts == 2
        usage = Usage(input=tokens, output=answer, estimated=0 if chance.random() < 0.97 else WHOLE)
        cost = (tokens * 3.0 + answer * 15.0) / 1e6
        seconds = chance.uniform(0.2, 2.0)
        tries = []
        failure = two and chance.random() < 0.3
        if failure:
            tries.append(
                Attempt(
                    model=local,
                    started=0.001,
                    ended=0.003,
                    cost=0.0,
                    failure=Failure(
                        reason="refused",
                        detail="Ollama at 127.0.0.1:11434 refused the connection",
                        seconds=0.002,
                    ),
                )
            )
        elif two:
            why = f"{chance.randint(2, 9)} of {chance.randint(10, 30)} figures are not in the source"
            tries.append(
                attempt_of(
                    local, checks, started=0.001, seconds=seconds, usage=usage, cost=0.0, low=0.4, why=why
                )
            )
        if two:
            tries.append(
                attempt_of("claude", checks, started=seconds + 0.002, seconds=1.4, usage=usage, cost=cost)
            )
        else:
            tries.append(attempt_of(local, checks, started=0.001, seconds=seconds, usage=usage, cost=0.0))
        model = "claude" if two else local
        fallback = None
        if two:
            fallback = "engine unavailable" if failure else "quality check failed"
        received = MONDAY + i * 7 * 86400 / number
        yield Outcome(
            id=f"{int(received * 1000) << 32 | chance.getrandbits(80) >> 48:019x}",  # as the gate makes them
            received=received,
            asked="auto",
            stream=chance.random() < 0.5,
            signals=Signals(
                task=task,
                task_confidence=chance.randint(500, 1000) / 1000,
                task_by="rules",
                tokens=tokens,
                tokens_exact=True,
                language="en",
            ),
            decision=Decision(
                route=task,
                why=f"the task is {task} and {tokens:,} tokens are under 2,000",
                candidates=(
                    Candidate(model=local, estimate=0.0),
                    Candidate(model="claude", estimate=round(cost, 9)),
                ),
                checks=checks,
                pass_at=0.6,
                mode="peek",
                within=60.0,
                attempts_at_most=3,
                spend_at_most=round(chance.uniform(10, 25), 9),
            ),
            attempts=tuple(tries),
            status="ok",
            model=model,
            fallback=fallback,
            seconds=tries[-1].ended + 0.001,
            first_token=tries[-1].first_token,
            usage=usage,
            cost=cost if two else 0.0,
            baseline="gpt-4o",
            baseline_cost=(tokens * 2.5 + answer * 10.0) / 1e6,
            prices_as_of="2025-10-13",
        )
