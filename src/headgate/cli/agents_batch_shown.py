"""How a batch is shown: as a bar on a terminal, as lines elsewhere, as JSON events for programs; and its end, as a summary.

It is told what happens and knows the sum of the results; it does not know where items come from or who answers.
"""

import shlex
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from headgate.cli.common import put, say
from headgate.cli.models_progress import Pace, put_event
from headgate.core.words import RUN_STATUSES

if TYPE_CHECKING:
    from rich.console import Console

    from headgate.batches import Event, Result, Results, Summary, Tally

LINE_EVERY = 10.0
"""Seconds between two lines off a terminal."""
EVENT_EVERY = 1.0
"""Seconds between two events of progress."""
BEAT = 0.1
"""Seconds between two changes of the bar."""
MOST_SHOWN = 5
"""Items without a good answer that the summary names."""


class Course:
    """How far a batch is.

    Args:
        results: what there is, which others write.
    """

    def __init__(self, results: "Results") -> None:
        self._results = results
        self.total: int | None = None
        self.done = 0
        """Items that were looked at."""
        self.answered = 0
        self.rate: float | None = None
        """Answers per second, over the last seconds."""
        self._pace = Pace()

    def take(self, event: "Event", now: float) -> None:
        """Learn what has happened."""
        from headgate.batches import Answered, Began, Kept

        if isinstance(event, Began):
            self.total = event.total
        elif isinstance(event, Kept):
            self.done += event.items
        elif isinstance(event, Answered):
            self.done += 1
            self.answered += 1
            self.rate = self._pace.rate(self.answered, now)

    @property
    def tally(self) -> "Tally":
        """The sum of the results."""
        return self._results.tally

    @property
    def seconds_left(self) -> float | None:
        """Until all is answered, at this rate; None is unknown."""
        if not self.rate or self.total is None:
            return None
        return max(self.total - self.done, 0) / self.rate

    def figures(self) -> str:
        """The counts, the rate, the cost and the time left: "ok 1,200  failed 4  512/s  $0.12  3 min 2 s left"."""
        from headgate.cli.models_words import span
        from headgate.reports.shown import per_second

        parts = [counts(self.tally, "  ")]
        if self.rate is not None:
            parts.append(per_second(self.rate))
        parts.append(cost(self.tally))
        if self.seconds_left is not None:
            parts.append(f"{span(max(round(self.seconds_left), 1))} left")
        return "  ".join(part for part in parts if part)


class Face(Protocol):
    """Somebody who watches a batch."""

    def show(self, event: "Event") -> None:
        """Take the next event."""
        ...

    def say(self, text: str) -> None:
        """Tell the person something."""
        ...

    def close(self) -> None:
        """Leave the screen in order; nothing happens any more."""
        ...


class Bar:
    """A bar with what was answered, the rate, the cost and the time left."""

    def __init__(self, screen: "Console", results: "Results") -> None:
        from rich import progress

        self._course = Course(results)
        self._screen = progress.Progress(
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[far]}"),
            progress.TextColumn("{task.fields[figures]}"),
            console=screen,
        )
        self._task = self._screen.add_task("", total=None, far="", figures="")
        self._shown = 0.0
        self._screen.start()

    def show(self, event: "Event") -> None:
        """Move the bar."""
        from headgate.batches import Notice

        if isinstance(event, Notice):
            self.say(f"note: {event.text}")
            return
        now = perf_counter()
        self._course.take(event, now)
        if now - self._shown >= BEAT:
            self._draw(now)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._screen.console.print(text)

    def close(self) -> None:
        """Let the bar stand as it is."""
        self._draw(perf_counter())
        self._screen.stop()

    def _draw(self, now: float) -> None:
        course, self._shown = self._course, now
        self._screen.update(
            self._task, total=course.total, completed=course.done, far=far(course), figures=course.figures()
        )


class Lines:
    """A line every few seconds, where there is no terminal."""

    def __init__(self, results: "Results") -> None:
        self._course = Course(results)
        self._said = perf_counter()

    def show(self, event: "Event") -> None:
        """Say how far it is, now and then."""
        from headgate.batches import Notice

        if isinstance(event, Notice):
            say(f"note: {event.text}")
            return
        now = perf_counter()
        self._course.take(event, now)
        if now - self._said >= LINE_EVERY:
            self._said = now
            say(f"{far(self._course)}  {self._course.figures()}")

    def say(self, text: str) -> None:
        """Print a line."""
        say(text)

    def close(self) -> None:
        """Nothing is left to be said."""


class Events:
    """A JSON object a line: how far it is, and each item that has no good answer."""

    def __init__(self, results: "Results") -> None:
        self._course = Course(results)
        self._told = 0.0

    def show(self, event: "Event") -> None:
        """Tell what a program wants to know of it."""
        from headgate.batches import Answered, Began, Notice

        now = perf_counter()
        self._course.take(event, now)
        if isinstance(event, Began):
            put_event("begin", total=event.total, there=event.there)
        elif isinstance(event, Notice):
            put_event("note", text=event.text)
        elif isinstance(event, Answered) and event.result.status in ("incomplete", "failed"):
            result = event.result
            put_event(result.status, item=result.item, source=result.source, reason=result.reason)
        if now - self._told >= EVENT_EVERY and not isinstance(event, Began):
            self._told = now
            course = self._course
            left = course.seconds_left
            put_event(
                "progress",
                done=course.done,
                total=course.total,
                statuses=statuses(course.tally),
                per_second=None if course.rate is None else round(course.rate, 2),
                seconds_left=None if left is None else round(left, 1),
                **money(course.tally),
            )

    def say(self, text: str) -> None:
        """Print a line on stderr; it is for people."""
        say(text)

    def close(self) -> None:
        """The last event is the command's to tell."""


def far(course: Course) -> str:
    """How many of how many: "1,200/10,000"."""
    if course.total is None:
        return f"{course.done:,}"
    return f"{course.done:,}/{max(course.total, course.done):,}"


def counts(tally: "Tally", gap: str) -> str:
    """Items by status, those that there are: "ok 1,200  failed 4"."""
    return gap.join(f"{status} {many:,}" for status, many in statuses(tally).items())


def statuses(tally: "Tally") -> dict[str, int]:
    """Items by status, in the order of the words."""
    return {status: tally.statuses[status] for status in RUN_STATUSES if tally.statuses[status]}


def cost(tally: "Tally") -> str:
    """What the results cost: "$0.1240", ">= $0.1240" where some of it is unknown."""
    from headgate.reports.shown import dollars_at_least

    return dollars_at_least(tally.cost, tally.unknown, tally.items - tally.unknown)


def money(tally: "Tally") -> dict[str, Any]:
    """What the results cost, for programs."""
    return {"cost": round(tally.cost, 9), "cost_unknown": tally.unknown}


# ── When it is over ──────────────────────────────────────────────────────────────────────────────────────────────────


def summary_value(summary: "Summary", results: "Results", following: Sequence[str]) -> dict[str, Any]:
    """The summary for programs."""
    tally = summary.tally
    return {
        "results": str(results.path),
        "complete": summary.complete,
        "stopped": summary.stopped,
        "items": summary.items,
        "answered": summary.answered,
        "kept": summary.kept,
        "skipped": summary.skipped,
        "changed": summary.changed,
        "moved": summary.moved,
        "gone": summary.gone,
        "statuses": statuses(tally),
        "models": {name: many for name, many in tally.models.most_common() if name and many},
        **money(tally),
        "over_budget": summary.over_budget,
        "seconds": round(summary.seconds, 3),
        "next": list(following),
    }


def summary_lines(summary: "Summary", results: "Results", following: Sequence[str]) -> Iterator[str]:
    """The summary for people."""
    from headgate.cli.models_words import span
    from headgate.reports.shown import count, dollars, per_second

    tally = summary.tally
    if summary.complete:
        yield f"{results.path} has a line for each of {count(summary.items, 'item')}, in their order"
    else:
        yield f"{results.path} has {count(tally.items, 'result')}; the batch is not through"
    yield f"  {counts(tally, ' · ') or 'nothing was answered'}"
    by = ", ".join(f"{name} {many:,}" for name, many in tally.models.most_common() if name and many)
    if by:
        yield f"  answered by {by}"
    unknown = f"; of {count(tally.unknown, 'item')} the cost is unknown" if tally.unknown else ""
    yield f"  cost {dollars(tally.cost)}{unknown}"
    pace = f", {per_second(summary.answered / summary.seconds)}" if summary.answered else ""
    yield f"  {count(summary.answered, 'item')} answered now in {span(summary.seconds)}{pace}; {summary.kept:,} had a result"
    if summary.moved:
        yield f"  {count(summary.moved, 'result')} moved with their items, and nobody was asked for them again"
    if summary.changed:
        yield f"  {count(summary.changed, 'item')} had changed since they were answered"
    if summary.gone:
        yield f"  {count(summary.gone, 'result')} had no item any more: they are in {results.path}.gone"
    if summary.over_budget:
        yield "  the budget is used up: what needed a paid model after that is incomplete"
    yield from troubles(results, tally)
    yield from (f"next: {command}" for command in following)


def troubles(results: "Results", tally: "Tally") -> Iterator[str]:
    """Where the items are that have no good answer, the first few by name."""
    bad = tally.statuses["failed"] + tally.statuses["incomplete"]
    if not bad:
        return
    yield ""
    for result in results.of_status(("failed", "incomplete"), MOST_SHOWN):
        yield f"  {result.status}: {result.source}: {shorten(result)}"
    if bad > MOST_SHOWN:
        yield f"  … and {bad - MOST_SHOWN:,} more"


def shorten(result: "Result", width: int = 160) -> str:
    """The reason in a line."""
    line = " ".join(result.reason.split()) or "no reason was given"
    return line if len(line) <= width else f"{line[: width - 1]}…"


def put_summary(summary: "Summary", results: "Results", following: Sequence[str], *, as_json: bool) -> None:
    """Print the end of a batch."""
    if as_json:
        put_event("summary", **summary_value(summary, results, following))
    else:
        for line in summary_lines(summary, results, following):
            put(line)


def command_line(words: Sequence[str]) -> str:
    """A command as it is typed."""
    return shlex.join(["headgate", *words])
