"""What `GET /metrics` shows: counters since the gate opened, in Prometheus' text form.

Requests and attempts are different things and have different counters; totals count requests. Counting is a few additions
to plain dictionaries, because it happens on every request; the library's form is made only when somebody looks. The ledger
knows more and forgets nothing; this is for alarms.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from headgate.core.budgets import Alert, Standing
from headgate.core.types import Outcome

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics(Collector):
    """The counters of one gate."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.fallbacks: Counter[str] = Counter()
        self.cost: dict[str, float] = {}
        self.baseline = 0.0
        self.buckets = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self.alerts: Counter[tuple[str, str]] = Counter()
        self.budgets: Sequence[Standing] = ()
        self.open = 0
        self.lost = 0
        self.registry.register(self)

    def note(self, outcome: Outcome) -> None:
        """Count a request and its attempts."""
        self.requests[outcome.model or "none", outcome.decision.route, outcome.status] += 1
        self.buckets[bisect_left(SECONDS, outcome.seconds)] += 1
        self.seconds += outcome.seconds
        if outcome.fallback is not None:
            self.fallbacks[outcome.fallback] += 1
        if outcome.baseline_cost:
            self.baseline += outcome.baseline_cost
        for attempt in outcome.attempts:
            self.attempts[
                attempt.model, attempt.failure.reason if attempt.failure is not None else "answered"
            ] += 1
            if attempt.cost:
                self.cost[attempt.model] = self.cost.get(attempt.model, 0.0) + attempt.cost

    def alert(self, alert: Alert) -> None:
        """Count an alert of a budget."""
        self.alerts[alert.budget, str(alert.level)] += 1

    def text(self, *, open_requests: int, rows_lost: int, budgets: Sequence[Standing] = ()) -> bytes:
        """All of it, as Prometheus reads it."""
        self.open, self.lost, self.budgets = open_requests, rows_lost, budgets
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The counters in the library's form."""
        requests = CounterMetricFamily(
            "headgate_requests", "Requests by who answered", labels=("model", "route", "status")
        )
        for labels, count in self.requests.items():
            requests.add_metric(labels, count)
        yield requests
        attempts = CounterMetricFamily(
            "headgate_attempts", "Attempts by what came of them", labels=("model", "result")
        )
        for pair, count in self.attempts.items():
            attempts.add_metric(pair, count)
        yield attempts
        fallbacks = CounterMetricFamily(
            "headgate_fallbacks", "Requests answered by a paid model", labels=("reason",)
        )
        for reason, count in self.fallbacks.items():
            fallbacks.add_metric((reason,), count)
        yield fallbacks
        cost = CounterMetricFamily("headgate_cost_dollars", "Dollars spent", labels=("model",))
        for model, dollars in self.cost.items():
            cost.add_metric((model,), dollars)
        yield cost
        yield CounterMetricFamily(
            "headgate_baseline_dollars", "What the baseline model would have cost", value=self.baseline
        )
        yield from self.money()
        yield self.histogram()
        yield GaugeMetricFamily("headgate_open_requests", "Requests under way", value=self.open)
        yield GaugeMetricFamily(
            "headgate_ledger_rows_lost", "Requests that could not be written down", value=self.lost
        )

    def money(self) -> Iterator[Metric]:
        """The budgets in their present periods, and the alerts since the gate opened."""
        dollars = GaugeMetricFamily(
            "headgate_budget_dollars",
            "Money of a budget in its present period",
            labels=("budget", "per", "what"),
        )
        for one in self.budgets:
            for what, amount in (("limit", one.dollars), ("spent", one.spent), ("reserved", one.reserved)):
                dollars.add_metric((one.name, one.per, what), amount)
        yield dollars
        alerts = CounterMetricFamily(
            "headgate_budget_alerts", "Levels that budgets have reached", labels=("budget", "level")
        )
        for pair, count in self.alerts.items():
            alerts.add_metric(pair, count)
        yield alerts

    def histogram(self) -> HistogramMetricFamily:
        """Requests by their time from receipt to the last byte."""
        buckets, total = [], 0
        for limit, count in zip((*(str(second) for second in SECONDS), "+Inf"), self.buckets, strict=True):
            total += count
            buckets.append((limit, float(total)))
        return HistogramMetricFamily(
            "headgate_request_seconds",
            "From receipt to the last byte",
            buckets=buckets,
            sum_value=self.seconds,
        )
