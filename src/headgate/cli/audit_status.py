"""`headgate audit status`: how many requests were chosen, and what has become of them."""

from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.audit import AuditSettings
    from headgate.ledger.audit_standing import Standing

NAMES = {"fallback": ("fallback", "fallbacks"), "local": ("local answer", "local answers")}


@click.command("status")
@with_config
@with_json
def command(config_file: str | None, *, as_json: bool) -> None:
    """How many requests were chosen, judged or wait; what that cost, and until when prompts are kept for it."""
    from headgate.ledger.audit_standing import read_standing

    config = load(config_file, prices=False)
    standing = read_standing(config.ledger.path)
    if as_json:
        put_json(facts(config.audit, standing))
        return
    for name, figure, told in lines(standing):
        put(f"{name:<8} {figure:>8}  {told}".rstrip())
    for sentence in advice(config.audit, standing):
        say(sentence)


def facts(settings: "AuditSettings", standing: "Standing") -> dict[str, Any]:
    """The same for programs."""
    import msgspec

    return {
        "on": settings.on,
        "sample": settings.sample,
        "local_sample": settings.local_sample,
        "paid_per_week": settings.paid_per_week,
        "local_answers": settings.checks_local,
        "key": settings.key_reference,
        "keep": settings.keep,
        **msgspec.to_builtins(standing),
    }


def lines(standing: "Standing") -> list[tuple[str, str, str]]:
    """What there is, a figure and what to know of it on each line."""
    unclear = standing.verdicts.get("unclear", 0)
    found = [f"{number:,} {verdict}" for verdict, number in standing.verdicts.items() if verdict != "unclear"]
    kept = "in prompts and answers"
    if standing.kept:
        state = {0: "not sealed", standing.kept: "sealed"}.get(
            standing.sealed, f"{standing.sealed:,} of them sealed"
        )
        kept += f" of {standing.kept:,} requests, {state}, until {moment(standing.until)}"
    due = ""
    if standing.due is not None:
        due = f"the next is due {moment(standing.due)}" if standing.due > time() else "the next is due now"
    made = [
        ("chosen", total(standing.chosen), kinds(standing.chosen)),
        (
            "waiting",
            total(standing.waiting),
            joined([kinds(standing.waiting), due, *again(standing.delayed)]),
        ),
        ("judged", total(standing.judged), ", ".join(found)),
        ("unclear", f"{unclear:,}", "of those that were judged" if unclear else ""),
        ("failed", total(standing.failed), why(standing.failures)),
        ("cost", "unknown" if standing.cost is None else f"${standing.cost:.4f}", ""),
        ("kept", size(standing.bytes), kept if standing.kept else ""),
    ]
    if not standing.imported:
        return made
    found = [f"{number:,} {verdict}" for verdict, number in standing.imported.items()]
    doubt = (
        f"{standing.without_chance:,} without the probability with which they were chosen: these tell of no other request"
        if standing.without_chance
        else ""
    )
    return [*made, ("imported", total(standing.imported), joined([", ".join(found), doubt]))]


def advice(settings: "AuditSettings", standing: "Standing") -> list[str]:
    """What to do first, where something is to be done before there can be audits, or more of them."""
    if not settings.on:
        return [
            "audits are off: write sample = 0.05 under [audit] in headgate.toml, and one paid request in 20 is looked at again"
        ]
    said = []
    if not standing.chosen:
        said.append(
            f"no request was chosen {'here ' if standing.imported else ''}yet: headgate up opens the gate, and some of those that it answers are"
        )
    if settings.local_sample > 0 and not settings.checks_local:
        said.append(
            "local answers are not checked: that takes a paid model, and paid_per_week under [audit] is 0"
        )
    return said


def why(reasons: Mapping[str, int]) -> str:
    """Reasons with their numbers."""
    return joined([f"{number:,}: {reason}" for reason, number in reasons.items()])


def again(reasons: Mapping[str, int]) -> list[str]:
    """Those that could not be made so far, by reason."""
    return [
        f"{number:,} {'was' if number == 1 else 'were'} tried in vain and will be tried again: {reason}"
        for reason, number in reasons.items()
    ]


def kinds(counts: Mapping[Any, int]) -> str:
    """Numbers by kind, in words."""
    return ", ".join(f"{number:,} {NAMES[kind][number != 1]}" for kind, number in counts.items())


def total(counts: Mapping[Any, int]) -> str:
    """All kinds together."""
    return f"{sum(counts.values()):,}"


def joined(parts: list[str]) -> str:
    """The parts that say something."""
    return "; ".join(part for part in parts if part)


def size(number: int) -> str:
    """Bytes as people say them."""
    return (
        f"{number / 1e6:.1f} MB" if number >= 100_000 else f"{number / 1e3:.1f} kB" if number else "nothing"
    )


def moment(at: float | None) -> str:
    """A Unix time on this machine's clock."""
    from datetime import datetime

    return "" if at is None else f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"
