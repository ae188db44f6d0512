"""`--by`: what is paid waits for the provider's batch API, at half price, until the batch has to be done.

First the models at home answer what they can; what they leave is put aside and handed over (`batches.overnight`).
"""

from datetime import datetime, timedelta
from time import time
from typing import TYPE_CHECKING

from msgspec import Struct

from headgate.cli.common import say

if TYPE_CHECKING:
    from pathlib import Path

    from headgate.batches import Items, Results, Stop, Summary
    from headgate.batches.types import Item
    from headgate.cli.agents_batch import Job
    from headgate.cli.agents_batch_shown import Face
    from headgate.config.compile import Config
    from headgate.core.runs import Run, Settler
    from headgate.core.subagent import Agent
    from headgate.core.types import Model

POLL = 5.0
"""Seconds between the first looks at a provider's batch."""
HOW = "write --by 08:00, --by 8h, or --by 2026-11-28T08:00"


class Until(Struct, frozen=True, kw_only=True):
    """When a batch has to be done, and who is asked at half price until then."""

    word: str
    """As the user wrote it."""
    at: float
    """Unix time."""
    poll: float
    models: "tuple[Model, ...]"
    """The one that is asked in batches, and the paid ones after it."""

    @property
    def model(self) -> "Model":
        """The one that is asked in batches."""
        return self.models[0]

    @property
    def when(self) -> str:
        """The moment, for people: "until 08:00 on 28 November"."""
        return f"until {datetime.fromtimestamp(self.at).astimezone():%H:%M on %-d %B}"

    def at_half(self, model: "Model") -> "Model":
        """The model at the price of its batches, if it is asked in them."""
        from msgspec.structs import replace

        from headgate.core.batching import batch_price

        return replace(model, price=batch_price(model.price)) if model.name == self.model.name else model


def night_of(
    config: "Config",
    agent: "Agent",
    chain: "tuple[Model, ...]",
    *,
    by: str | None,
    poll: str | None,
    pay: bool,
) -> Until | None:
    """What `--by` means for this batch; None, with a sentence where one is due, asks everybody live.

    Raises:
        UsageError: it is no moment, or one that has passed.
    """
    from headgate.config.misfit import Misfit
    from headgate.config.values import seconds
    from headgate.core.errors import UsageError
    from headgate.engines.connect import BATCHING

    if by is None:
        if poll is not None:
            raise UsageError("--poll is for --by", HOW)
        return None
    at = moment(by, datetime.now().astimezone()).timestamp()
    try:
        every = POLL if poll is None else seconds(("--poll",), poll)
    except Misfit as error:
        raise UsageError(str(error), "write --poll 30s") from error
    paid = [model for model in chain if not model.local]
    first = next((n for n, model in enumerate(paid) if config.engines[model.engine].kind in BATCHING), None)
    why = ""
    if not pay or agent.local_only:
        why = "no paid model may answer"
    elif not paid:
        why = f"{agent.name} asks no paid model"
    elif first is None:
        why = f"no provider of {', '.join(model.name for model in paid)} takes batches at half price"
    elif agent.tools:
        why = f"{agent.name} has tools, and a batch cannot call them"
    if why or first is None:
        say(f"note: nothing waits for half price: {why}; all is asked live")
        return None
    return Until(word=by, at=at, poll=every, models=tuple(paid[first:]))


def moment(word: str, now: datetime) -> datetime:
    """The moment that a word means: "08:00" is the next such time, "8h" is from now on.

    Raises:
        UsageError: it is none, or has passed.
    """
    from headgate.config.misfit import Misfit
    from headgate.config.values import seconds
    from headgate.core.errors import UsageError

    try:
        clock = datetime.strptime(word, "%H:%M").time()  # noqa: DTZ007  # a time of the day
    except ValueError:
        pass
    else:
        today = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)
    try:
        return now + timedelta(seconds=seconds(("--by",), word))
    except Misfit:
        pass
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        raise UsageError(f'"{word}" is not a time', HOW) from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=now.tzinfo)
    if found <= now:
        raise UsageError(f"{word} has passed", HOW)
    return found


def warn_of_waiting(job: "Job", results: "Results") -> None:
    """Say what a provider still has, where nobody is going to collect it now.

    Raises:
        UsageError: the user wants items again that wait.
    """
    from headgate.batches.jobs import Jobs
    from headgate.core.errors import UsageError

    jobs = Jobs(jobs_file(results), results.batch).open.values()
    if not jobs:
        return
    many = sum(len(one.planned.items) for one in jobs)
    name = next(iter(jobs)).planned.engine
    if job.retry:
        raise UsageError(
            f"{many:,} items wait for a batch of {name}",
            "the same command with --by, without --retry, collects it",
        )
    if job.night is None:
        say(f"note: {many:,} items wait for a batch of {name}; the same command with --by collects it")
    elif any(one.planned.engine != job.night.model.engine for one in jobs):
        raise UsageError(
            f"{many:,} items wait for a batch of {name}, which is not the first paid model of {job.agent.name} any more",
            "put its models as they were, and the same command collects it",
        )


def jobs_file(results: "Results") -> "Path":
    """Where the jobs of a batch are written down."""
    return results.path.with_name(f"{results.path.name}.jobs")


def most(config: "Config", job: "Job", results: "Results") -> float | None:
    """Dollars that the batch may cost in all: its own budget, and what the config's leave to it; None is no limit."""
    from headgate.starting import open_budgets

    budgets = open_budgets(config)
    allowance, _ = budgets.allowances(budgets.of("", "", job.agent.task))
    if allowance is None:
        return job.budget
    allowed = results.tally.cost + allowance.left
    if job.budget is not None and job.budget <= allowed:
        return job.budget
    say(f"note: {allowance.sentence}, and this batch may cost no more")
    return allowed


async def work_overnight(
    config: "Config",
    job: "Job",
    night: Until,
    runner: "Settler",
    *,
    items: "Items",
    results: "Results",
    stop: "Stop",
    face: "Face",
) -> "Summary":
    """Answer at home what can be, and see the rest through the provider's batches."""
    from msgspec.structs import replace

    from headgate.batches import Budget, Work
    from headgate.batches.hand_over import Packing
    from headgate.batches.jobs import Jobs
    from headgate.batches.night import Night
    from headgate.batches.overnight import Overnight
    from headgate.batches.waiting import put_aside
    from headgate.cli.agents_batch_forecast import price_of
    from headgate.core.runs import Run
    from headgate.engines.connect import connect_batches

    at_home = any(model.local for model in job.chain)

    async def answer(item: "Item", name: str, pay: bool) -> "Run":  # noqa: ARG001  # nobody is paid here
        run = Run(agent=job.agent.name, status="incomplete")
        if at_home:
            run = await runner.run(
                job.agent.name,
                item.given,
                batch=True,
                pay=False,
                key=name,
                caller=results.batch,
                model=job.model,
            )
        never_began = run.status == "failed" and not run.requests
        if run.status in ("ok", "escalated") or never_began:
            return run
        return put_aside(run, night.model.name)

    begun = time()
    summary = await Work(
        items, results, answer, at_once=job.at_once, retry=job.retry, stop=stop, tell=face.show
    ).run()
    if summary.stopped:
        return summary
    engine = connect_batches(config.engines[night.model.engine])
    budget = Budget(most(config, job, results), results.tally.cost)
    try:
        await Overnight(
            Night(
                agent=job.agent.name,
                models=night.models,
                until=night.at,
                poll=night.poll,
                at_once=job.at_once,
            ),
            runner,
            engine,
            packing=Packing(config.policy, job.agent, engine, night.model),
            items=items,
            results=results,
            jobs=Jobs(jobs_file(results), results.batch),
            budget=budget,
            expected=price_of(job),
            stop=stop,
            tell=face.show,
        ).run()
    finally:
        await engine.close()
    if not stop.asked.is_set():
        results.finish(summary.items)
    return replace(
        summary,
        stopped=stop.asked.is_set(),
        over_budget=budget.used_up,
        seconds=time() - begun,
        tally=results.tally,
    )
