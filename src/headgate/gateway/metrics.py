"""What `GET /metrics` shows: counters since the gate opened, in Prometheus' text form.

Requests and attempts are different things and have different counters; totals count requests. The ledger knows more and
forgets nothing; this is for alarms.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from headgate.core.types import Outcome

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The counters of one gate."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "headgate_requests",
            "Requests by who answered",
            ("model", "route", "status"),
            registry=self.registry,
        )
        self.attempts = Counter(
            "headgate_attempts", "Attempts by what came of them", ("model", "result"), registry=self.registry
        )
        self.fallbacks = Counter(
            "headgate_fallbacks", "Requests answered by a paid model", ("reason",), registry=self.registry
        )
        self.cost = Counter("headgate_cost_dollars", "Dollars spent", ("model",), registry=self.registry)
        self.baseline = Counter(
            "headgate_baseline_dollars", "What the baseline model would have cost", registry=self.registry
        )
        self.seconds = Histogram(
            "headgate_request_seconds",
            "From receipt to the last byte",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.open = Gauge("headgate_open_requests", "Requests under way", registry=self.registry)
        self.lost = Gauge(
            "headgate_ledger_rows_lost", "Requests that could not be written down", registry=self.registry
        )
        self.children: dict[tuple[str, ...], Counter] = {}

    def note(self, outcome: Outcome) -> None:
        """Count a request and its attempts."""
        self.child(self.requests, outcome.model or "none", outcome.decision.route, outcome.status).inc()
        self.seconds.observe(outcome.seconds)
        if outcome.fallback is not None:
            self.child(self.fallbacks, outcome.fallback).inc()
        if outcome.baseline_cost:
            self.baseline.inc(outcome.baseline_cost)
        for attempt in outcome.attempts:
            result = attempt.failure.reason if attempt.failure is not None else "answered"
            self.child(self.attempts, attempt.model, result).inc()
            if attempt.cost:
                self.child(self.cost, attempt.model).inc(attempt.cost)

    def child(self, counter: Counter, *labels: str) -> Counter:
        """The counter for these labels, found without the library's lock."""
        key = (counter._name, *labels)  # noqa: SLF001  # its public name is not to be had
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = counter.labels(*labels)
        return found

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
