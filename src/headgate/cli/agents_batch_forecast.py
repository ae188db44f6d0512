"""`--dry-run`: what a batch would cost and take. Items are counted and nobody is asked.

What is known of models is read from the ledger and the config; what follows from it is `batches.forecast`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from headgate.cli.common import put, put_json, put_table, table

if TYPE_CHECKING:
    from headgate.batches import Item, Items, Results
    from headgate.batches.forecast import Forecast, Hand, Load
    from headgate.cli.agents_batch import Job
    from headgate.config.compile import Config
    from headgate.core.runs import Given
    from headgate.core.subagent import Agent


class Counted(msgspec.Struct, kw_only=True):
    """The items of a batch, counted."""

    total: int = 0
    asked: int = 0
    """That would be put to the agent."""
    bad: int = 0
    """That cannot be asked."""
    there: int = 0
    """That have a result."""
    tokens: int = 0
    """Of those that would be asked, with what the agent is told."""


def show_forecast(config: "Config", job: "Job", items: "Items", *, as_json: bool) -> None:
    """Count the items and print what they would cost and take."""
    from headgate.batches import open_results
    from headgate.batches.forecast import Load, answer_tokens, forecast
    from headgate.core.trials import digest_of

    with ExitStack() as stack:
        results = None
        if job.out is not None and job.out.exists():
            opened = open_results(
                job.out, agent=job.agent.name, version=digest_of(job.agent), inputs=(job.input_name,)
            )
            results, _ = stack.enter_context(opened)
        counted = count_items(job, items, results)
        hands = list(hands_of(config, job, results))
    load = Load(items=counted.asked, tokens_in=counted.tokens, tokens_out=answer_tokens(job.agent))
    found = forecast(load, hands, job.at_once)
    if as_json:
        half = job.night.model.name if job.night is not None else None
        put_json({**plain(counted, load, found), "half_price": half})
    else:
        show(job, counted, load, found)


def count_items(job: "Job", items: "Items", results: "Results | None") -> Counted:
    """Go through the items without asking anybody."""
    from headgate.batches import Notice
    from headgate.batches.types import digest_of

    counted = Counted()
    told = told_tokens(job.agent)
    for item in items:
        if isinstance(item, Notice):
            continue
        counted.total += 1
        found = results.find(item.n, digest_of(item.given)) if results is not None else None
        if found is not None and found.mark.status not in job.retry:
            counted.there += 1
        elif item.fault:
            counted.bad += 1
        elif found is not None or not job.retry:
            counted.asked += 1
            counted.tokens += told + given_tokens(item.given)
    return counted


def hands_of(config: "Config", job: "Job", results: "Results | None") -> "Iterator[Hand]":
    """Who may answer, with what was measured of each."""
    from headgate.batches.forecast import ENOUGH, Hand
    from headgate.cli.agents_known import newest
    from headgate.ledger.cards import newest_cards

    cards, trials = newest_cards(config.ledger.path), newest(config, job.agent)
    chain = [model for model in job.chain if model.local or job.pay]
    answered = results.tally.models if results is not None else None
    enough = answered is not None and sum(answered[model.name] for model in chain) >= ENOUGH
    for place, model in enumerate(chain):
        reached = None
        if enough and answered is not None:
            reached = sum(answered[later.name] for later in chain[place:]) / answered.total()
        yield Hand(
            model=model if job.night is None else job.night.at_half(model),
            card=cards.get((model.engine, model.id)),
            trial=trials.get(model.name),
            reached=reached,
        )


def price_of(job: "Job") -> "Callable[[Item], float | None]":
    """What a paid answer to an item would cost, by the first paid model of the chain; None is unknown."""
    from headgate.batches.forecast import answer_tokens
    from headgate.core.parts import WHOLE
    from headgate.core.prices import cost
    from headgate.core.types import Usage

    paid = next((model for model in job.chain if not model.local), None)
    told, answer = told_tokens(job.agent), answer_tokens(job.agent)
    if paid is None or not job.pay:
        return lambda _: 0.0
    return lambda item: cost(
        Usage(input=told + given_tokens(item.given), output=answer, estimated=WHOLE), paid.price
    )


def told_tokens(agent: "Agent") -> int:
    """Tokens of what the agent is told with every item."""
    from headgate.core.agents import give
    from headgate.core.tokens import guess
    from headgate.core.types import Message, Request

    return guess(give(agent, Request(id="", asked=f"agent:{agent.name}", messages=(Message("user", ""),))))


def given_tokens(given: "Given") -> int:
    """Tokens of an input, by its bytes."""
    from headgate.core.tokens import BYTES_PER_TOKEN, length

    text = given if isinstance(given, str) else "\n".join(str(value) for value in given.values())
    return length(text) // BYTES_PER_TOKEN


# ── How it is shown ──────────────────────────────────────────────────────────────────────────────────────────────────


def show(job: "Job", counted: Counted, load: "Load", found: "Forecast") -> None:
    """The forecast for people."""
    from headgate.reports.shown import count

    put(f"{counted.asked:,} of {count(counted.total, 'item')} of {job.batch} would be asked; no model was")
    if counted.there:
        put(f"  {count(counted.there, 'item')} have a result in {job.out}")
    if counted.bad:
        put(f"  {count(counted.bad, 'item')} cannot be read, and will be named as failed")
    if counted.asked:
        each = load.tokens_in / load.items
        put(f"  about {each:,.0f} tokens are read for each, and {load.tokens_out:,} written")
        put("")
        rows = table("model", "items", "cost", "time", "rests on", right=("items", "cost", "time"))
        for line in found.lines:
            items = ranged(line.items, lambda number: f"{number:,.0f}")
            rows.add_row(
                line.model,
                items,
                dollars_ranged(line.cost),
                span_ranged(line.seconds),
                "; ".join(line.rests_on),
            )
        put_table(rows)
        put("")
        least = "" if found.all_timed or found.seconds is None else "at least "
        if job.night is not None:
            put(
                f"{job.night.model.name} is asked in a batch of its provider's, at half price, {job.night.when}"
            )
        put(
            f"in all {dollars_ranged(found.cost)}, {least}{span_ranged(found.seconds)}, {job.at_once} at once"
        )


def ranged(pair: tuple[float, float], shown: Callable[[float], str]) -> str:
    """A figure, or two where it is not known well: "$0.10 – $4.20"."""
    low, high = shown(pair[0]), shown(pair[1])
    return low if low == high else f"{low} – {high}"


def dollars_ranged(pair: tuple[float, float] | None) -> str:
    """Money, the least and the most."""
    from headgate.reports.shown import UNKNOWN, dollars

    return UNKNOWN if pair is None else ranged(pair, dollars)


def span_ranged(pair: tuple[float, float] | None) -> str:
    """Time, the least and the most."""
    from headgate.cli.models_words import span

    return "time unknown" if pair is None else ranged(pair, span)


def plain(counted: Counted, load: "Load", found: "Forecast") -> dict[str, object]:
    """The forecast for programs."""
    return {
        "items": counted.total,
        "asked": counted.asked,
        "there": counted.there,
        "bad": counted.bad,
        "tokens_in": load.tokens_in,
        "tokens_out": load.tokens_out * load.items,
        "models": [msgspec.to_builtins(line) for line in found.lines],
        "cost": found.cost,
        "seconds": found.seconds,
        "all_timed": found.all_timed,
    }
