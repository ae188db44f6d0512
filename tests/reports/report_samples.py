"""The user's own example, figure by figure."""

from headgate.reports.facts import (
    AttemptFacts,
    AuditFacts,
    FallbackFacts,
    Latency,
    ServedFacts,
    TaskFacts,
    WeeklyFacts,
)
from headgate.reports.savings import Money
from headgate.reports.week import Week

WEEK = Week(2025, 42)


def latency(requests, mean):
    return Latency(requests, mean, mean * 0.9, mean * 2.5)


def served(shown, requests, seconds, cost=0.0, *, local=True, unknown=0):
    return ServedFacts(
        shown=shown,
        local=local,
        requests=requests,
        latency=latency(requests, seconds),
        first_token=latency(requests, seconds / 4),
        cost=cost,
        cost_unknown=unknown,
    )


def tried(shown, attempts, rejected, cost=0.0, *, local=True, failures=None):
    return AttemptFacts(
        shown=shown,
        local=local,
        attempts=attempts,
        rejected=rejected,
        failures=failures or {},
        input=attempts * 900,
        output=attempts * 150,
        cost=cost,
        cost_unknown=0,
    )


USERS_WEEK = WeeklyFacts(
    since=1_760_313_600.0,
    until=1_760_918_400.0,
    requests=15_238,
    served=(
        served("llama3.1 (Ollama)", 6_412, 0.320),
        served("phi-3-mini (LM Studio)", 2_187, 0.180),
        served("qwen2.5-coder (Ollama)", 2_534, 0.410),
        served("claude-sonnet-5-5 (API)", 4_105, 0.935, 286.40, local=False),
    ),
    latency=latency(15_238, 0.480),
    first_token=latency(15_238, 0.120),
    tasks=(
        TaskFacts(task="summarization", requests=7_000, tried_locally=6_730, failed_locally=318),
        TaskFacts(task="code", requests=3_000, tried_locally=2_900, failed_locally=366),
        TaskFacts(task="classification", requests=2_500, tried_locally=2_439, failed_locally=252),
        TaskFacts(task="reasoning", requests=2_710, tried_locally=0, failed_locally=0),
        TaskFacts(task=None, requests=28, tried_locally=20, failed_locally=9),
    ),
    attempts=(
        tried("llama3.1 (Ollama)", 6_730, 318),
        tried("phi-3-mini (LM Studio)", 2_439, 252),
        tried("qwen2.5-coder (Ollama)", 2_900, 366, failures={"timeout": 3, "refused": 1}),
        tried("claude-sonnet-5-5 (API)", 4_105, 0, 286.40, local=False),
    ),
    fallbacks=(
        FallbackFacts("token count", 4000, 2_841),
        FallbackFacts("quality check failed", None, 936),
        FallbackFacts("unsupported output format", None, 328),
    ),
    audits=(AuditFacts("unnecessary", "import", 328), AuditFacts("necessary", "import", 3777)),
    statuses={"ok": 15_238},
    cost=286.40,
    money=Money(requests=15_238, cost=286.40, baseline=1_219.04),
    baselines={"GPT-4o": 15_238},
    prices_as_of=("2025-10-13",),
)
