"""The story of one request tells every fact of its outcome."""

import json
from datetime import UTC
from decimal import Decimal

import pytest
from msgspec.structs import replace

from headgate.core.audits import Opinion
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
from headgate.reports.story import line, plain_story, story

CLAUDE = Model(
    name="claude",
    engine="anthropic",
    engine_kind="anthropic",
    id="claude-sonnet-5-5",
    local=False,
    label="stand-in",
    price=Price(input=3.0, output=15.0, date="2026-11-23", source="list"),
)
CODER = Model(name="coder", engine="ollama", engine_kind="ollama", id="qwen2.5-coder:7b", local=True)
MODELS = {"claude": CLAUDE, "coder": CODER}

OUTCOME = Outcome(
    id="req_7f3a",
    received=1_760_313_600.0,
    asked="auto",
    stream=True,
    signals=Signals(
        task="code",
        task_confidence=0.92,
        task_by="rules",
        tokens=812,
        tokens_exact=True,
        language="en",
        code_blocks=1,
    ),
    decision=Decision(
        route="code",
        why="the task is code",
        candidates=(
            Candidate(model="phi", skip="window", detail="812 tokens do not fit into 512"),
            Candidate(model="coder", estimate=0.0),
            Candidate(model="claude", estimate=0.0123),
            Candidate(model="gpt", estimate=None),
        ),
        checks=("not-empty", "code-parses"),
        pass_at=0.6,
        mode="peek",
        within=60.0,
        attempts_at_most=3,
        spend_at_most=0.5,
    ),
    attempts=(
        Attempt(
            model="coder",
            started=0.001,
            ended=1.2,
            usage=Usage(input=800, cache_read=12, output=120),
            cost=0.0,
            verdicts=(Verdict("not-empty", 1.0), Verdict("code-parses", 0.4, "line 3: invalid syntax")),
            score=0.4,
            finish="stop",
            logprob=-0.31,
        ),
        Attempt(
            model="claude",
            started=1.2,
            ended=3.4,
            first_token=0.4,
            usage=Usage(input=820, output=131, estimated=WHOLE),
            cost=0.004425,
            verdicts=(Verdict("not-empty", 1.0), Verdict("code-parses", None, "no code in it")),
            score=1.0,
            finish="stop",
        ),
    ),
    status="ok",
    model="claude",
    fallback="quality check failed",
    seconds=3.41,
    first_token=1.61,
    usage=Usage(input=820, output=131, estimated=WHOLE),
    cost=0.004425,
    baseline="gpt-4o",
    baseline_cost=0.00336,
    prices_as_of="2026-11-23",
)


@pytest.mark.parametrize(
    "fact",
    [
        "REQUEST req_7f3a: answered",
        "received     2025-10-13 00:00:00 UTC",
        "asked for    auto, as a stream",
        "answered by  claude-sonnet-5-5 (API) [stand-in], after 2 attempts",
        "fallback     Quality check failed",
        "took         3,410ms, first byte after 1,610ms",
        "task         code (0.92, by rules)",
        "tokens       812 (counted)",
        "also         language en, 1 code block",
        "route        code: the task is code",
        "checks       not-empty, code-parses; pass at 0.6; mode peek",
        "at most      60 seconds, 3 attempts, $0.50",
        "skipped: window",
        "812 tokens do not fit into 512",
        "not needed",
        "1. coder: rejected with 0.40",
        "2. claude [stand-in]: passed with 1.00",
        "812 tokens in (12 read from a cache), 120 out, $0.00",
        "820 tokens in, 131 out, estimated, $0.004425",
        "mean log-probability -0.310",
        "line 3: invalid syntax",
        "no evidence",
        "on gpt-4o",
        "-$0.001065",
        "prices as of 2026-11-23",
        "$3.00 in  $15.00 out  (list, 2026-11-23)",
    ],
)
def test_the_story_tells(fact):
    assert fact in story(OUTCOME, MODELS, UTC)


def test_a_failure_is_told_with_its_reason_and_status():
    failed = Attempt(
        model="coder",
        started=0.0,
        ended=0.5,
        failure=Failure(reason="http_error", detail="the model needs more memory", status=500),
    )
    outcome = replace(
        OUTCOME,
        attempts=(failed,),
        model=None,
        status="failed",
        fallback=None,
        cost=None,
        error="no model could answer",
    )
    told = story(outcome, MODELS, UTC)
    assert "REQUEST req_7f3a: failed" in told
    assert "answered by  nobody, after 1 attempt\n" in told
    assert "error        no model could answer" in told
    assert "failed, http_error (HTTP 500): the model needs more memory" in told
    assert "tokens unknown, unknown" in told


def cost_of(outcome, models=MODELS):
    """The lines below COST."""
    return story(outcome, models, UTC).partition("COST\n")[2].splitlines()


@pytest.mark.parametrize(
    ("cost", "baseline"), [(0.0000014, 0.0000026), (0.0, 0.00336), (0.01, 0.5), (0.0012345, 0.25), (2.0, 0.5)]
)
def test_what_was_saved_is_the_difference_of_the_figures_above_it(cost, baseline):
    figures = [row.split()[-1] for row in cost_of(replace(OUTCOME, cost=cost, baseline_cost=baseline))[:3]]
    assert len({len(figure.partition(".")[2]) for figure in figures}) == 1
    paid, elsewhere, saved = (Decimal(figure.replace("$", "")) for figure in figures)
    assert saved == elsewhere - paid


def test_a_request_without_an_answer_saved_nothing_and_says_so():
    lines = cost_of(replace(OUTCOME, model=None, status="failed", cost=0.01, baseline_cost=None))
    assert lines[:2] == ["  this request  $0.01", "  nothing was answered, so nothing was saved"]


def test_no_heading_stands_above_an_empty_list_of_prices():
    lines = cost_of(OUTCOME, {"coder": CODER})
    assert [line.split()[0] for line in lines] == ["this", "on", "saved", "tokens", "energy"]


def test_what_was_decided_of_an_imported_request_is_not_made_up():
    decision = replace(OUTCOME.decision, within=0.0)
    told = (
        story(replace(OUTCOME, decision=decision), MODELS, UTC)
        .partition("DECISION")[2]
        .partition("ATTEMPTS")[0]
    )
    assert "imported without" in told
    assert "at most" not in told
    assert "candidates" not in told


def test_what_was_said_of_an_answer_is_told_and_which_word_counts():
    down = Opinion(verdict="missed", judge="caller", by="web", score=0.0, reason="wrong sum")
    told = story(OUTCOME, MODELS, UTC, (Opinion(verdict="good", judge="exact"), down))
    assert "  exact       good\n  caller web  thumb down: missed (in force)  wrong sum\n" in told
    paid = story(OUTCOME, MODELS, UTC, (Opinion(verdict="unclear", judge="caller", score=1.0),))
    assert "  caller  thumb up\n" in paid


def test_a_late_verdict_is_called_late():
    late = replace(OUTCOME.attempts[0], late=True)
    assert "rejected with 0.40, judged after it was sent" in story(
        replace(OUTCOME, attempts=(late,)), MODELS, UTC
    )


def test_prompt_and_answer_are_told_when_they_were_kept():
    told = story(replace(OUTCOME, prompt="Write a\nfunction.", answer="def f(): ..."), MODELS, UTC)
    assert "PROMPT (17 characters)\n  Write a\n  function." in told
    assert "ANSWER (12 characters)\n  def f(): ..." in told
    assert "PROMPT" not in story(OUTCOME, MODELS, UTC)


def test_the_plain_story_is_json_with_every_field_of_the_outcome():
    told = json.loads(json.dumps(plain_story(OUTCOME, MODELS)))
    assert set(told) >= set(OUTCOME.__struct_fields__) - {"prompt", "answer", "turn", "audit"}
    assert told["saved"] == pytest.approx(-0.001065)
    assert told["models"]["claude"]["label"] == "stand-in"
    assert told["decision"]["candidates"][0]["skip"] == "window"


def test_a_line_has_the_figures_of_the_answer():
    row = line(OUTCOME, MODELS)
    assert (row.id, row.model, row.status, row.attempts) == ("req_7f3a", "claude [stand-in]", "ok", 2)
    assert (row.tokens_in, row.tokens_out, row.exact) == (820, 131, False)
    assert (row.cost, row.fallback) == (0.004425, "Quality check failed")
    assert row.saved == pytest.approx(-0.001065)
    unanswered = line(replace(OUTCOME, model=None, usage=None, fallback=None), MODELS)
    assert (unanswered.model, unanswered.tokens_in, unanswered.exact, unanswered.fallback) == (
        None,
        None,
        False,
        "",
    )
