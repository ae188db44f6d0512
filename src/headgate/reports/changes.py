"""What a week's figures say should be changed, each with the figures and with the line of headgate.toml to edit.

A change is proposed only where enough requests support it. What it would bring is not foretold: that needs the recorded
requests under the other setting, which is a replay. This module looks at figures alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from headgate.core.estimates import Estimate
from headgate.core.intervals import wilson
from headgate.core.policy import Policy, Route
from headgate.core.types import Model
from headgate.core.words import FALLBACKS
from headgate.reports.facts import FallbackFacts, TaskFacts, TriedFacts, WeeklyFacts
from headgate.reports.shown import count, dollars, full_name, percent

AT_MOST: Final = 5
"""Changes in one report: a list that nobody reads changes nothing."""
MANY: Final = 0.05
"""The share of the fallbacks from which a reason is worth a change."""
MOST: Final = 0.20
"""The share of the fallbacks from which a token limit is."""
OFTEN: Final = 0.50
"""The share of failed answers from which to ask home first costs more time than it saves money."""
ENOUGH: Final = 0.80
"""The share of too long prompts that a longer window should hold."""


class Change(Struct, frozen=True):
    """One thing to do."""

    do: str
    """What, in a few words."""
    because: str
    """The figures that say so."""
    edit: str
    """The line of headgate.toml, or the command."""
    requests: int
    """How many requests of the week it is about."""


def changes(
    facts: WeeklyFacts,
    *,
    failing: Sequence[TaskFacts],
    spared: Mapping[str, Estimate],
    lost_to_cloud: float | None,
    at_least: int,
    policy: Policy | None,
) -> tuple[Change, ...]:
    """What to change after such a week, the most requests first.

    Args:
        facts: what was counted.
        failing: the tasks whose local answers surely fail too often.
        spared: what audits say of unnecessary fallbacks, by cause.
        lost_to_cloud: dollars by which home beat the cheap cloud, negative where it lost; None is unknown.
        at_least: requests below which nothing is proposed.
        policy: the routes and models as they are now.
    """
    known = _Page(policy)
    found = [
        *(_of_task(task, known) for task in failing),
        *_of_reasons(facts, at_least, known),
        *_of_prices(facts, known),
        *_of_audits(spared, at_least),
        *_of_the_cheap_cloud(facts, lost_to_cloud, at_least, known),
    ]
    return tuple(sorted(found, key=lambda change: -change.requests)[:AT_MOST])


class _Page:
    """The user's page, as far as a change names its lines."""

    def __init__(self, policy: Policy | None) -> None:
        self._routes: Sequence[Route] = () if policy is None else policy.routes
        self.models: Mapping[str, Model] = {} if policy is None else policy.named
        self._names = {full_name(model, name): name for name, model in self.models.items()}

    def name(self, shown: str) -> str:
        """A model's name on the page; as it is shown where the page has it no more."""
        return self._names.get(shown, shown)

    def route_for(self, task: str | None) -> Route | None:
        """The first route that this task can take to a local model."""
        return next(
            (
                route
                for route in self._routes
                if route.kind == "chat"
                and (route.tasks is None or task in route.tasks)
                and any(self._local(name) for name in route.chain)
            ),
            None,
        )

    def chain(self, route: Route | None) -> tuple[str, ...]:
        """The models that a route names, without their longer lanes, which nobody writes."""
        return () if route is None else tuple(dict.fromkeys(name.partition("@")[0] for name in route.chain))

    def limit(self, tokens: int) -> Route | None:
        """The route that begins above so many tokens."""
        return next((route for route in self._routes if route.tokens_over == tokens), None)

    @property
    def local(self) -> dict[str, Model]:
        """The models at home that answer."""
        return {name: model for name, model in self.models.items() if model.local and model.kind == "chat"}

    def _local(self, name: str) -> bool:
        model = self.models.get(name.partition("@")[0])
        return model is not None and model.local


def _of_task(task: TaskFacts, page: _Page) -> Change:
    name = task.task or "requests without evidence of a task"
    because = f"{task.failed_locally:,} of {count(task.tried_locally, 'request')} failed at home"
    if task.models:
        because += f"; failed answers: {', '.join(_tried(tried) for tried in task.models[:2])}"
    better, tried = _better(task.models), ""
    route = page.route_for(task.task)
    if better is not None:
        chain = (page.name(better.shown), *page.chain(route))
        do = f"Let {better.shown} answer {name} first"
    elif _hopeless(task):
        paid = tuple(model for model in page.chain(route) if model not in page.local)
        chain = paid or ("...",)
        do = f"Send {name} to a paid model first"
    else:
        chain = ("NAME", *page.chain(route))
        do = f"Try another model at home for {name}"
        tried = "headgate models bench NAME tries one; then "
    line = _route_line(task.task, route, tuple(dict.fromkeys(chain)))
    return Change(do, because, tried + line, task.failed_locally)


def _hopeless(task: TaskFacts) -> bool:
    """Whether more than half of the answers at home surely fail: less often, what succeeds is still saved."""
    interval = wilson(task.failed_locally, task.tried_locally)
    return interval is not None and interval[0] > OFTEN


def _better(models: Sequence[TriedFacts]) -> TriedFacts | None:
    """The model that surely fails less often than the busiest one; None where there is none."""
    if len(models) < 2:
        return None
    worst = wilson(models[0].failed, models[0].attempts)
    for tried in sorted(models[1:], key=lambda one: one.failed / one.attempts):
        own = wilson(tried.failed, tried.attempts)
        if own is not None and worst is not None and own[1] < worst[0]:
            return tried
    return None


def _tried(tried: TriedFacts) -> str:
    return f"{tried.shown} {tried.failed:,} of {tried.attempts:,} ({percent(tried.failed / tried.attempts)})"


def _route_line(task: str | None, route: Route | None, chain: Sequence[str]) -> str:
    asked = _try(chain)
    if route is None or task is None:
        return f"[[routes]] {asked}"
    if route.tasks is not None and len(route.tasks) == 1:
        return f'[[routes]] name = "{route.name}": {asked}'
    return f'[[routes]] above "{route.name}": name = "{task}", tasks = ["{task}"], {asked}'


def _try(chain: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in chain)
    return f"try = [{names}]"


def _of_reasons(facts: WeeklyFacts, at_least: int, page: _Page) -> Iterator[Change]:
    total = sum(fallback.requests for fallback in facts.fallbacks)
    for fallback in facts.fallbacks:
        share = fallback.requests / total
        least = MOST if fallback.reason == "token count" else MANY
        proposed = _REASONS.get(fallback.reason)
        if proposed is not None and fallback.requests >= at_least and share >= least:
            cost = f", {dollars(fallback.cost)}" if fallback.cost else ""
            sent = f"{count(fallback.requests, 'request')} ({percent(share)} of fallbacks{cost})"
            yield proposed(fallback, sent, facts, page)


def _of_token_count(fallback: FallbackFacts, sent: str, facts: WeeklyFacts, page: _Page) -> Change:
    limit = fallback.limit or 0
    size, held = _window(facts.too_long)
    because = f"{sent} went to a paid model for more than {limit:,} tokens"
    if size:
        because += f"; {held:,} of them fit into {size:,}"
    route = page.limit(limit)
    able = [name for name, model in page.local.items() if model.context and size and model.context >= size]
    if able and route is not None:
        return Change(
            f"Let {able[0]} read longer prompts: its window has room",
            because,
            f'[[routes]] name = "{route.name}": {_try((able[0], *page.chain(route)))}',
            fallback.requests,
        )
    name = next(iter(page.local), "NAME")
    window = f"{size:,} tokens" if size else f"more than {limit:,} tokens"
    tokens = size or 2 * limit
    return Change(
        f"Give a model at home a longer lane, of {window}",
        because,
        f"headgate models plan {name} --context {tokens} tells its memory; then [models.{name}] context = [..., {tokens}]",
        fallback.requests,
    )


def _window(too_long: Mapping[int, int]) -> tuple[int, int]:
    """The smallest window that holds most of these prompts, and how many it holds; zeros when nothing is known."""
    total, held = sum(too_long.values()), 0
    for size, requests in sorted(too_long.items()):
        held += requests
        if held >= ENOUGH * total:
            return size, held
    return 0, 0


def _of_format(fallback: FallbackFacts, sent: str, _facts: WeeklyFacts, page: _Page) -> Change:
    unable = [name for name, model in page.local.items() if not {"json", "schema"} <= model.capabilities]
    name = unable[0] if unable else next(iter(page.local), "NAME")
    return Change(
        "Let a model at home answer in the asked format",
        f"{sent} asked for JSON or a schema that no model at home was known to keep to",
        f'headgate models bench {name} tries it; then [models.{name}] capabilities = ["json", "schema", "tools"]',
        fallback.requests,
    )


def _of_busy(fallback: FallbackFacts, sent: str, _facts: WeeklyFacts, page: _Page) -> Change:
    engine = next((model.engine for model in page.local.values()), "NAME")
    return Change(
        "Wait longer for home, or let it answer more at a time",
        f"{sent} found every slot at home taken for longer than they may wait",
        f'[limits] queue_for = "10s", or a higher [engines.{engine}] parallel',
        fallback.requests,
    )


def _of_unavailable(fallback: FallbackFacts, sent: str, facts: WeeklyFacts, _page: _Page) -> Change:
    refused = [
        f"{tried.shown} failed {count(sum(tried.failures.values()), 'call')}"
        for tried in facts.attempts
        if tried.local and tried.failures
    ]
    return Change(
        "Keep the engines at home running",
        f"{sent} found no engine at home that answered{'; ' if refused else ''}{', '.join(refused[:2])}",
        "headgate doctor says which one and why",
        fallback.requests,
    )


_REASONS: Final[Mapping[str, Callable[[FallbackFacts, str, WeeklyFacts, _Page], Change]]] = {
    "token count": _of_token_count,
    "unsupported output format": _of_format,
    "engine busy": _of_busy,
    "engine unavailable": _of_unavailable,
}


def _of_prices(facts: WeeklyFacts, page: _Page) -> Iterator[Change]:
    for tried in facts.attempts:
        if tried.cost_unknown and not tried.local:
            name = page.name(tried.shown)
            yield Change(
                f"Say what {tried.shown} costs",
                f"The cost of {count(tried.cost_unknown, 'call')} is unknown, and savings leave them out",
                f"[models.{name}] price = {{ input = ..., output = ... }}",
                tried.cost_unknown,
            )


def _of_audits(spared: Mapping[str, Estimate], at_least: int) -> Iterator[Change]:
    """A check that surely rejects too much of what is good."""
    for cause, found in spared.items():
        is_check = cause == "quality check failed" or cause not in FALLBACKS
        if not is_check or found.number is None or found.judged < at_least:
            continue
        number = found.number
        if number.low > MANY * found.requests:
            yield Change(
                "Believe answers from home sooner",
                f"The check {cause} sent about {count(found.requests, 'request')} away; {number.low:,.0f} to {number.high:,.0f} of "
                f"these answers were as good, by {count(found.judged, 'audit')}",
                "headgate tune; or [quality] pass_at, a little lower than it is",
                round(number.expected),
            )


def _of_the_cheap_cloud(
    facts: WeeklyFacts, lost_to_cloud: float | None, at_least: int, page: _Page
) -> Iterator[Change]:
    if lost_to_cloud is None or lost_to_cloud >= 0 or not facts.alternatives:
        return
    cheap, requests = next(iter(facts.alternatives.items()))
    if requests < at_least:
        return
    because = f"The same week there would have cost {dollars(-lost_to_cloud)} less than it did"
    if facts.money.cost > facts.money.alternative:
        dear = max((one for one in facts.served if not one.local), key=lambda one: one.cost, default=None)
        name = "..." if dear is None else page.name(dear.shown)
        yield Change(
            f"Ask {cheap} before {name if dear is None else dear.shown}, if its answers are good enough",
            because,
            f"a [models.NAME] for it, then {_try(('...', 'NAME', name))}".replace('"..."', "..."),
            requests,
        )
    else:
        yield Change(
            f"Compare home with {cheap}: it would have been cheaper",
            f"{because}: energy and hardware cost more than its answers",
            "a [models.NAME] for it, and NAME first in the try of what need not stay at home",
            requests,
        )
