"""A sync as a person sees it: a bar on a terminal, then what was done; and the watching, which is one sync after the other."""

import asyncio
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from headgate.cli.common import load, put, put_json, say

if TYPE_CHECKING:
    from headgate.core.runs import Embedder
    from headgate.knowledge.types import Progress, Summary

BEAT = 0.1
"""Seconds between two changes of the bar."""
SHOWN = 10
"""Troubles that are shown; `kb stats` has all."""


def run_sync(
    config_file: str | None,
    name: str,
    paths: tuple[str, ...],
    *,
    chunk: int | None,
    local_only: bool | None,
    rebuild: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Sync a base, and show it; with `watch` for ever."""
    from headgate.cli.kb_embedder import allowed, open_embedder
    from headgate.core.errors import EngineError
    from headgate.knowledge import places
    from headgate.knowledge.sync import roots_of

    config = load(config_file, prices=False)
    places.place_of(name)
    roots_of(paths)
    model, note = allowed(config, name, local_only=local_only)
    if note:
        say(note)

    async def run() -> "Summary":
        async with open_embedder(config, model) as embedder:
            summary = await once(
                name,
                paths,
                embedder,
                chunk=chunk,
                local_only=local_only,
                rebuild=rebuild,
                as_json=as_json,
            )
            if watch:
                warn(summary)
                await follow(name, embedder, as_json=as_json)
            return summary

    summary = asyncio.run(run())
    if summary.problem:
        raise EngineError(
            f"{summary.missing} chunks have no vector, and are found by their words only: {summary.problem}",
            summary.hint or f"headgate kb sync {name} goes on",
        )


async def once(
    name: str,
    paths: tuple[str, ...],
    embedder: "Embedder | None",
    *,
    chunk: int | None = None,
    local_only: bool | None = None,
    rebuild: bool = False,
    retry: bool = True,
    as_json: bool = False,
) -> "Summary":
    """One sync with its bar and its summary."""
    from headgate.knowledge.sync import sync

    screen = Screen(name)
    try:
        summary = await sync(
            name,
            paths,
            embedder,
            screen.show,
            chunk=chunk,
            local_only=local_only,
            rebuild=rebuild,
            retry=retry,
        )
    finally:
        screen.close()
    if as_json:
        put_json(summary)
    else:
        put(told(summary))
    return summary


async def follow(name: str, embedder: "Embedder | None", *, as_json: bool) -> None:
    """Sync whenever something changes."""
    from headgate.core.errors import HeadgateError
    from headgate.knowledge import places
    from headgate.knowledge.watch import BEAT, changed

    path = places.find(name)
    say(f"watching the folders of {name}; Ctrl-C ends it")
    while True:
        await changed(path)
        try:
            warn(await once(name, (), embedder, retry=False, as_json=as_json))
        except HeadgateError as error:
            say(f"warning: {error.message}")
            await asyncio.sleep(BEAT)


def warn(summary: "Summary") -> None:
    """Say that vectors are missing, where nothing ends because of it."""
    if summary.problem:
        say(f"warning: {summary.missing:,} chunks have no vector: {summary.problem}")


class Screen:
    """The bar of a sync; nothing where there is no terminal, since the summary says it all."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None
        self._shown = 0.0
        self._step = ""
        if sys.stderr.isatty():
            from rich import progress

            from headgate.cli.common import console

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=28),
                progress.TextColumn("{task.fields[figures]}"),
                console=console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(name, total=None, figures="")
            self._bar.start()

    def show(self, progress: "Progress") -> None:
        """Move the bar."""
        now = perf_counter()
        if self._bar is None or (progress.step == self._step and now - self._shown < BEAT):
            return
        self._step, self._shown = progress.step, now
        done, total = (
            (progress.embedded, progress.to_embed)
            if progress.step == "embedding"
            else (progress.files, progress.files_in_all)
        )
        self._bar.update(
            self._task,
            description=f"{self._name}  {progress.step}",
            total=total,
            completed=done,
            figures=figures(progress),
        )

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def figures(progress: "Progress") -> str:
    """How far it is: "120 of 480 files, 3,100 chunks, 12 s left"."""
    from headgate.cli.models_words import span

    if progress.step == "looking":
        return ""
    if progress.step == "reading":
        parts = [f"{progress.files:,} of {progress.files_in_all or 0:,} files", f"{progress.chunks:,} chunks"]
    else:
        parts = [f"{progress.embedded:,} of {progress.to_embed or 0:,} chunks", f"{progress.reused:,} reused"]
    if progress.seconds_left is not None and progress.seconds_left >= 1:
        parts.append(f"{span(progress.seconds_left)} left")
    return ", ".join(parts)


def told(summary: "Summary") -> str:
    """What was done, for a person."""
    from headgate.cli.models_words import span
    from headgate.reports.shown import count

    files = (
        f"{count(summary.read, 'file')} read, {summary.unchanged:,} unchanged, {summary.removed:,} removed"
    )
    vectors = f"{summary.embedded:,} embedded, {summary.reused:,} with a vector already"
    lines = [
        f"{summary.base}: {files}",
        f"  {count(summary.chunks, 'chunk')}: {vectors}; {span(summary.seconds)}",
    ]
    lines += [f"  note: {note}" for note in summary.notes]
    if summary.troubles:
        lines.append(f"  {count(len(summary.troubles), 'trouble')}:")
        lines += [f"    {trouble_line(trouble)}" for trouble in summary.troubles[:SHOWN]]
        if len(summary.troubles) > SHOWN:
            lines.append(f"    … headgate kb stats {summary.base} shows all")
    return "\n".join(lines)


def trouble_line(trouble: Any) -> str:
    """A trouble on one line: "a.pdf:12: it is encrypted (hint)"."""
    where = trouble.source if trouble.line is None else f"{trouble.source}:{trouble.line}"
    return f"{where}: {trouble.message}" + (f" ({trouble.hint})" if trouble.hint else "")
