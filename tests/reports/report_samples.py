"""The user's own example, figure by figure."""

from msgspec.structs import replace

from headgate.config.load import load_config
from headgate.core.audits import Finding
from headgate.core.strata import Population
from headgate.reports.facts import (
    AttemptFacts,
    AuditFacts,
    DayFacts,
    FallbackFacts,
    Latency,
    ServedFacts,
    TaskFacts,
    TriedFacts,
    WeeklyFacts,
)
from headgate.reports.savings import Home, Money
from headgate.reports.week import Week

WEEK = Week(2025, 42)
TUESDAY = 1
USERS_OWN_WEEK = Week(2025, 42, TUESDAY)
"""Oct 14 - Oct 20, 2025, as the user drew it."""

LLAMA, PHI, CODER, CLAUDE = (
    "llama3.1 (Ollama)",
    "phi-3-mini (LM Studio)",
    "qwen2.5-coder (Ollama)",
    "claude-sonnet-5-5 (API)",
)
PLACES = {
    "summarization": {LLAMA: 6_400, CLAUDE: 600},
    "code": {CODER: 2_534, CLAUDE: 466},
    "classification": {PHI: 2_187, CLAUDE: 313},
    "reasoning": {CLAUDE: 2_710},
    None: {LLAMA: 12, CLAUDE: 16},
}
"""Task → model → requests of the user's week: the sums are his."""
SHARES = (0.19, 0.21, 0.20, 0.19, 0.15, 0.04, 0.02)
"""Of the week's requests, by day."""


def spread(number):
    """A number over the days of a week, with nothing lost."""
    parts = [int(number * share) for share in SHARES]
    parts[0] += number - sum(parts)
    return parts


def days(week=USERS_OWN_WEEK, places=PLACES, cost=286.40 / 4105, baseline=0.08):
    return tuple(
        DayFacts(
            day=day.isoformat(),
            task=task,
            shown=model,
            local=model != CLAUDE,
            requests=requests,
            cost=0.0 if model != CLAUDE else requests * cost,
            baseline=requests * baseline,
        )
        for number, day in enumerate(week.days)
        for task, models in places.items()
        for model, all_of_them in models.items()
        if (requests := spread(all_of_them)[number])
    )


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


def audits_of(
    unnecessary,
    necessary,
    unclear=0,
    *,
    judge="gpt-5",
    probability=0.05,
    cause="json",
    good=0,
    missed=0,
    scores=True,
):
    """The facts of so many audits, of the week's 4,105 fallbacks and 11,133 local answers."""
    numbers = {
        "unnecessary": unnecessary,
        "necessary": necessary,
        "unclear": unclear,
        "good": good,
        "missed": missed,
    }
    return {
        "audits": tuple(AuditFacts(verdict, judge, number) for verdict, number in numbers.items() if number),
        "findings": tuple(
            Finding(
                request=n,
                kind="local" if verdict in ("good", "missed") else "fallback",
                verdict=verdict,
                judge=judge,
                probability=probability,
                route="everything else",
                task="summarization",
                cause="" if verdict in ("good", "missed") else cause,
                scores={"json": n % 10 / 10} if scores else {},
                cost=0.07,
            )
            for verdict, number in numbers.items()
            for n in range(number)
        ),
        "populations": (
            Population(
                kind="fallback", route="everything else", task="summarization", requests=4_105, cost=286.40
            ),
            Population(
                kind="local", route="everything else", task="summarization", requests=11_133, cost=932.64
            ),
        ),
    }


NOT_AUDITED = {"audits": (), "findings": ()}

USERS_WEEK = WeeklyFacts(
    since=1_760_400_000.0,
    until=1_761_004_800.0,
    requests=15_238,
    served=(
        served(LLAMA, 6_412, 0.320),
        served(PHI, 2_187, 0.180),
        served(CODER, 2_534, 0.410),
        served(CLAUDE, 4_105, 0.935, 286.40, local=False),
    ),
    latency=latency(15_238, 0.480),
    first_token=latency(15_238, 0.120),
    tasks=(
        TaskFacts(
            task="summarization",
            requests=7_000,
            tried_locally=6_730,
            failed_locally=318,
            models=(TriedFacts(LLAMA, 6_710, 309),),
        ),
        TaskFacts(
            task="code",
            requests=3_000,
            tried_locally=2_900,
            failed_locally=366,
            models=(TriedFacts(CODER, 2_900, 366),),
        ),
        TaskFacts(
            task="classification",
            requests=2_500,
            tried_locally=2_439,
            failed_locally=252,
            models=(TriedFacts(PHI, 2_439, 252),),
        ),
        TaskFacts(task="reasoning", requests=2_710, tried_locally=0, failed_locally=0),
        TaskFacts(
            task=None, requests=28, tried_locally=20, failed_locally=9, models=(TriedFacts(LLAMA, 20, 9),)
        ),
    ),
    attempts=(
        tried(LLAMA, 6_730, 318),
        tried(PHI, 2_439, 252),
        tried(CODER, 2_900, 366, failures={"timeout": 3, "refused": 1}),
        tried(CLAUDE, 4_105, 0, 286.40, local=False),
    ),
    fallbacks=(
        FallbackFacts("token count", 4000, 2_841, 198.21),
        FallbackFacts("quality check failed", None, 936, 65.30),
        FallbackFacts("unsupported output format", None, 328, 22.89),
    ),
    **audits_of(
        328, 3_777, judge="import", probability=None, cause="unsupported output format", scores=False
    ),
    days=days(),
    too_long={8192: 2_304, 16384: 402, 32768: 135},
    statuses={"ok": 15_238},
    cost=286.40,
    money=Money(
        requests=15_238, cost=286.40, baseline=1_219.04, energy_unknown=15_238, alternative_unknown=15_238
    ),
    baselines={"GPT-4o": 15_238},
    prices_as_of=("2025-10-13",),
)


KNOWN_COSTS = replace(
    USERS_WEEK,
    energy=36.4 * 3.6e6,
    money=Money(requests=15_238, cost=286.40, baseline=1_219.04, energy_cost=9.10, alternative=104.75),
    home=Home(idle_cost=2.05, hardware_cost=11.54),
    break_even="2026-02-11",
    alternatives={"gemini-2.5-flash-lite (API)": 15_238},
)
"""The same week where energy, hardware and a cheap cloud model are known."""

POLICY = load_config(None, lambda *_: None).policy
"""Of the starter page, whose routes and models are the user's."""
