"""Checks of this machine: what it has, whether the models fit it, and whether its clock is right."""

import os
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.cli.models_plan import Row
    from headgate.core.fit import Room, Together
    from headgate.core.hardware import Hardware

MOST_SKEW = 60.0
"""Seconds by which clocks may differ: beyond it signatures and certificates begin to fail, and reports show wrong hours."""
ASKING = 5.0


async def check_hardware(world: "World") -> list[Finding]:
    """What this machine has, and what of it cannot be used."""
    return judge_hardware(await world.hardware())


def judge_hardware(found: "Hardware") -> list[Finding]:
    """A finding for each thing that could not be found out, or one of what there is."""
    from headgate.core.hardware import memory_words
    from headgate.reports.shown import count

    if found.notes:
        return [
            failed("hardware", what, "a card that can be used", fix)
            for what, fix in map(split_note, found.notes)
        ]
    cards = ", ".join(
        f"{gpu.name} with {memory_words(gpu.total)}" + (f", driver {gpu.driver}" if gpu.driver else "")
        for gpu in found.gpus
    )
    rest = f"{memory_words(found.ram_total)} of RAM, {count(found.cores, 'core')}"
    return [passed("hardware", f"{cards or 'no GPU, so models run on the CPU'}; {rest}")]


def split_note(note: str) -> tuple[str, str]:
    """What could not be found out, and what to do about it."""
    what, _, fix = note.rpartition("; ") if "; " in note else note.partition(": ")
    return what, fix


# ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def check_memory(world: "World") -> list[Finding]:
    """Whether the models of this machine fit it, alone and together."""
    from headgate.cli.models_plan import draw_up, room_here, set_of

    survey = await world.survey()
    room = room_here(world.config, await world.hardware(), survey.held)
    rows = [draw_up(one, room, None, None) for one in survey.subjects]
    named = world.config.policy.named
    return judge_memory(rows, set_of([row for row in rows if row.subject.name in named], room), room)


def judge_memory(rows: "list[Row]", both: "Together | None", room: "Room") -> list[Finding]:
    """What does not fit, each with the edit that makes it fit; or one line where all do."""
    from headgate.core.hardware import memory_words

    findings = [finding for row in rows if (finding := judge_fit(row, room)) is not None]
    alone = {row.subject.name for row in rows if row.fit is not None and row.fit.verdict == "not at all"}
    if both is not None and not both.fits and not alone:
        findings.append(
            warned(
                "memory",
                f"together the models take {memory_words(both.total)} of {memory_words(both.room)}, so they take turns",
                "all of them loaded at the same time",
                "headgate models plan  # shows a set that fits; smaller contexts help, too",
            )
        )
    known = [row for row in rows if row.fit is not None]
    if findings or not known:
        return findings
    if both is None:
        return [passed("memory", f"{known[0].subject.name} fits{_where(room)}")]
    return [
        passed(
            "memory",
            f"all models fit{_where(room)} together: {memory_words(both.total)} of {memory_words(both.room)}",
        )
    ]


def judge_fit(row: "Row", room: "Room") -> Finding | None:
    """One model that does not run as well as this machine could run it."""
    fit, name = row.fit, row.subject.name
    if fit is None or fit.verdict == ("gpu" if room.gpu else "cpu"):
        return None
    table = f"[models.{name.partition('@')[0]}]"
    best = fit.largest if fit.largest_verdict == ("gpu" if room.gpu else "cpu") else None
    fix = (
        f"write context = {best} under {table}"
        if best
        else f"headgate models plan {name}  # names others that fit"
    )
    found = next(
        (said for said in row.advice if "does not fit" in said), f"{name} fits nowhere"
    ).removesuffix(".")
    if fit.verdict == "not at all":
        return failed("memory", found, "a model that fits", fix, about=name)
    return warned("memory", found, "a model that fits the GPU whole", fix, about=name)


def _where(room: "Room") -> str:
    return " on the GPU" if room.gpu else " in the RAM"


# ── Clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def check_clock(world: "World") -> list[Finding]:
    """This machine's clock beside those of engines elsewhere, that we ask anyway; and its time zone."""
    from headgate.cli.checkup.world import in_thread
    from headgate.config.engine import is_here

    apart: dict[str, float] = {}
    for name, settings in world.config.engines.items():
        elsewhere = (settings.key is not None) if not settings.local else not is_here(settings.url)
        if settings.url is None or not elsewhere or apart or not (await world.met(name)).health.up:
            continue
        url = settings.url
        skew = await in_thread(lambda url=url: skew_of(url))  # type: ignore[misc]
        if skew is not None:
            apart[name] = skew
    zone = world.config.timezone == "utc" or zone_is_set()
    return [judge_clock(apart, zone=zone)]


def judge_clock(apart: dict[str, float], *, zone: bool) -> Finding:
    """How far our clock is ahead of others, in seconds, by their names; and whether the time zone is set."""
    from headgate.cli.models_words import span

    for name, skew in apart.items():
        if abs(skew) > MOST_SKEW:
            side = "ahead of" if skew > 0 else "behind"
            return warned(
                "clock",
                f"{span(abs(skew))} {side} the clock of {name}",
                "a clock that is right to a minute",
                "sudo timedatectl set-ntp true",
            )
    if not zone:
        return warned(
            "clock",
            "no time zone is set, so days and weeks of reports are those of UTC",
            "a time zone",
            'sudo timedatectl set-timezone Europe/Berlin  # or write timezone = "utc" under [report]',
        )
    return passed(
        "clock",
        f"as that of {listed(apart)}" if apart else "compared with none: no engine elsewhere tells the time",
    )


def skew_of(url: str) -> float | None:
    """Seconds that this machine's clock is ahead of a server's; None when it does not tell the time.

    Any answer tells it, also a refusal, so no key is sent.
    """
    begun = time()
    try:
        with urlopen(Request(url, method="HEAD"), timeout=ASKING) as answer:  # noqa: S310  # http, by EngineSettings
            told = answer.headers["date"]
    except HTTPError as error:
        told = error.headers["date"]
    except (OSError, ValueError):
        return None
    ended = time()
    try:
        theirs = parsedate_to_datetime(told).timestamp()
    except (TypeError, ValueError):
        return None
    return (begun + ended) / 2 - (theirs + 0.5)  # they tell whole seconds


def zone_is_set() -> bool:
    """Whether the user or the system names a time zone."""
    return os.name == "nt" or bool(os.environ.get("TZ")) or Path("/etc/localtime").exists()
