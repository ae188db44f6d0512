"""Many inputs for one subagent: durable, resumable, within a budget, and out of the way of people.

    with open_results(path, agent="triage") as (results, notes):
        summary = await run_batch(runner, "triage", items, results)

`Items` are what is asked (`inputs` reads them from files), `Results` the record on disk, `Work` goes through the items. Each
of them can be had without the others.
"""

from collections.abc import Callable, Collection

from headgate.batches.budget import Budget
from headgate.batches.inputs import open_items
from headgate.batches.opening import open_results
from headgate.batches.results import Results
from headgate.batches.types import Answer, Item, Items, Notice, Result, Tally
from headgate.batches.work import Answered, Began, Event, Kept, Stop, Summary, Work
from headgate.core.runs import Run, Runner
from headgate.core.words import RunStatus

__all__ = [
    "Answer",
    "Answered",
    "Began",
    "Budget",
    "Event",
    "Item",
    "Items",
    "Kept",
    "Notice",
    "Result",
    "Results",
    "Stop",
    "Summary",
    "Tally",
    "Work",
    "open_items",
    "open_results",
    "run_batch",
]

AT_ONCE = 4
"""Items under way at a time, where nobody knows how many the models take."""


async def run_batch(
    runner: Runner,
    agent: str,
    items: Items,
    results: Results,
    *,
    pay: bool = True,
    model: str | None = None,
    at_once: int = AT_ONCE,
    retry: Collection[RunStatus] = (),
    budget: Budget | None = None,
    expected: Callable[[Item], float | None] = lambda _: None,
    stop: Stop | None = None,
    tell: Callable[[Event], None] = lambda _: None,
) -> Summary:
    """Give every item that has no result yet to a subagent, and write each result down the moment it is there.

    People's requests go first, whatever the batch does. Who is asked again, and when, is the cascade's business: an item is
    put to the agent once.

    Args:
        runner: gives an input to the agent.
        agent: its name.
        items: the inputs.
        results: the record.
        pay: whether paid models may answer.
        model: only this model of the agent's chain.
        at_once: items under way at a time.
        retry: the statuses whose items are asked again; then the others are left alone, also those without a result.
        budget: what may be paid; None is no limit.
        expected: dollars that a paid answer to an item would cost; None is unknown.
        stop: asks for the end.
        tell: is told what happens.

    Raises:
        HeadgateError: what keeps all items from being answered or written. What was answered is safe.
    """

    async def answer(item: Item, name: str, may_pay: bool) -> Run:
        return await runner.run(
            agent, item.given, batch=True, pay=pay and may_pay, key=name, caller=results.batch, model=model
        )

    work = Work(
        items,
        results,
        answer,
        at_once=at_once,
        retry=retry,
        budget=budget,
        expected=expected,
        stop=stop,
        tell=tell,
    )
    return await work.run()
