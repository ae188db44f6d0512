"""`headgate tune`: settings that would cost less and keep a quality floor, by the ledger and its audits; and what became of them."""

import sys
from typing import TYPE_CHECKING

import click

from headgate.cli.common import DAYS_BACK, Number, load, one_of, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.core.proposals import Need, Proposal, Refusal
    from headgate.core.sums import Effect
    from headgate.lab.tuning import Applied, Tuned


@click.command("tune")
@click.option(
    "--floor",
    type=Number(min=50, max=100),
    metavar="PERCENT",
    help="The least quality: at least so many percent as good as always paying, 95 % sure. By default [tune] floor, 98.",
)
@click.option("--days", type=DAYS_BACK, default=56, show_default=True, help="How far back.")
@click.option("--apply", "applies", is_flag=True, help="Write it into headgate.toml, and watch it.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option(
    "--status", "status", is_flag=True, help="The changes that were applied, and what became of them."
)
@with_config
@with_json
def command(
    config_file: str | None,
    *,
    floor: float | None,
    days: int,
    applies: bool,
    yes: bool,
    status: bool,
    as_json: bool,
) -> None:
    """Search the recorded traffic for settings that cost less and keep a quality floor.

    Thresholds of routes (tokens_over, tokens_under, pass_at), their chains and the classifier's task_confidence are moved in small
    steps. What the older half of the audits finds, the newer half judges. Calls no model; without --apply nothing is written. Exit 1
    if there is too little to search in, 0 if nothing better was found.
    """
    from time import time

    from headgate.cli.changed_models import say_changes
    from headgate.lab.tuning import apply, tune_ledger

    one_of(status=status, apply=applies)
    config = load(config_file)
    if status:
        from headgate.cli.tune_status import show_status

        show_status(config, as_json=as_json)
        return
    share = config.tune.floor if floor is None else floor / 100
    since = time() - days * 86_400
    tuned = tune_ledger(config, share, since)
    say_changes(config, since)
    if as_json and not was_searched(tuned.found):
        put_json(plain(tuned, None))
        sys.exit(1)
    if refuse(tuned.found, as_json=as_json):
        return
    applied = None
    if not as_json:
        draw(tuned)
    if applies and tuned.diff and agreed(tuned, yes=yes):
        applied = apply(config, tuned, time())
    if as_json:
        put_json(plain(tuned, applied))
    elif applied is not None:
        say(
            f"\nwritten to {config.source}; as it was: {applied.kept}\n"
            "an open gate takes it within a minute, and watches it: headgate tune --status"
        )
    elif not applies:
        say(f"\nnothing has been changed; headgate tune --apply writes it into {config.source}")


def was_searched(found: "Proposal | Refusal") -> bool:
    """Whether there was enough to search in: else that nothing is proposed is a failure, for people and for programs."""
    return found.now is not None


def refuse(found: "Proposal | Refusal", *, as_json: bool) -> bool:
    """Tell a person why nothing is proposed; whether that is so. For programs it is data.

    Raises:
        HeadgateError: there is too little to search in.
    """
    from headgate.core.errors import HeadgateError
    from headgate.core.proposals import Refusal

    if not isinstance(found, Refusal) or as_json:
        return False
    if not was_searched(found):
        raise HeadgateError(found.why, hint_of(found))
    put(f"nothing is proposed: {found.why}")
    if found.now is not None and found.now.unpriced_before:
        put(f"  {in_no_dollar(found.now)}")
    for need in needs_of(found.needs):
        put(f"  for more: {need}")
    return True


HINTS = {
    "too few requests": "let the gate answer more of your traffic, or look further back with --days",
    "decisions not told": "headgate ledger export writes what was decided: export them anew where they come from; or let the gate answer "
    "more of your traffic",
    "no audits": "write [audit] sample = 0.05 in headgate.toml, and let the gate work: it repeats some requests while it is idle",
    "too few audits": "headgate audit run makes those that wait; a higher [audit] sample makes more",
    "labels contradict": "headgate audit review shows them: agree on what a good answer is first",
    "price unknown": "wait for answers whose cost is recorded, and look at those alone with --days",
    "model vanished": "audits of the models that are in the config now have to come in first",
}

PRICED_THEN = "what was recorded without a price is then counted at it"

UNUSED = {
    "not by chance": "the gate chooses by chance and notes the probability: [audit] sample in headgate.toml; where imported audits were "
    "chosen so, their lines say it as audit.probability, 1 where all were audited",
    "unclear": "headgate audit review shows them: say which answer is better",
    "another version": "audits of the version that lies there now have to come in first",
    "no answer": "a model at home has to answer such requests: headgate doctor says whether one can",
}
"""What to do where audits do not tell how good other answers are, by the first reason that there is."""


def hint_of(refusal: "Refusal") -> str:
    """What to do first."""
    needed = "; ".join(needs_of(refusal.needs))
    hint = HINTS.get(refusal.reason) or next(said for why, said in UNUSED.items() if why in refusal.unused)
    if refusal.models:
        prices = [f"[models.{name}] price = {{ input = ..., output = ... }}" for name in refusal.models]
        hint = f"write {' and '.join(prices)} in headgate.toml, in dollars per million tokens: {PRICED_THEN}"
    return hint + (f" (needed: {needed})" if needed else "")


def needs_of(needs: "tuple[Need, ...]") -> list[str]:
    """What is missing, in words."""
    return [
        f"{need.many:,} more {need.what}" + (f" of {' and '.join(need.routes)}" if need.routes else "")
        for need in needs
        if need.many > 0
    ]


def agreed(tuned: "Tuned", *, yes: bool) -> bool:
    """Whether the person wants it."""
    if yes:
        return True
    if not sys.stdin.isatty():
        from headgate.core.errors import UsageError

        raise UsageError("nobody can be asked here", "headgate tune --apply --yes writes it without asking")
    return click.confirm(f"\nwrite this into {tuned.page.source}?", err=True)


def draw(tuned: "Tuned") -> None:
    """The proposal for a person."""
    from datetime import UTC, datetime

    from headgate.core.proposals import Proposal
    from headgate.reports.shown import count

    found = tuned.found
    assert isinstance(found, Proposal), "refusals are told elsewhere"
    days = [
        datetime.fromtimestamp(at, UTC).date().isoformat() for at in (tuned.since, tuned.until, tuned.split)
    ]
    put(f"{count(tuned.requests, 'request')} and {count(tuned.audits, 'audit')}, {days[0]} to {days[1]}")
    put(f"found in what is older than {days[2]}, and judged by what is newer:\n")
    put(tuned.diff.rstrip("\n"))
    now, judged = found.now, found.judged
    if found.aim == "safer":
        sure = "surely" if found.broken else "more likely than not"
        put(f"\nquality is {sure} below the floor now, so this is the safe side")
    put("\nexpected              now         with it")
    put(f"  dollars a week      {before(now):<10}  {after(judged)}")
    put(
        f"  answered at home    {share(now.home.expected):<10}  {share(judged.home.expected)} "
        f"({share(judged.home.low)} to {share(judged.home.high)})"
    )
    put(
        f"  quality             {share(now.quality.expected):<10}  {share(judged.quality.expected)}, "
        f"at least {share(judged.quality.low)}"
    )
    put(f"  floor                           {share(found.floor)}, 95 % sure")
    put(
        f"\n{count(judged.moved, 'request')} of {judged.requests:,} would be answered otherwise; "
        f"of {judged.modelled:,} nobody has seen how: {count(judged.audits_moved, 'audit')} among them "
        f"stand{'s' if judged.audits_moved == 1 else ''} for them. {count(judged.audits, 'audit')} tell of quality in all."
    )
    if tuned.corrected:
        put(f"known errors of {' and '.join(tuned.corrected)} are taken out")
    if judged.unpriced_before:
        put(in_no_dollar(judged))
    for need in needs_of(found.needs):
        put(f"for a step further: {need}")


def before(now: "Effect") -> str:
    """Dollars a week under the settings in force."""
    if not now.dollars_before and now.unpriced_before:
        return "unknown"
    return f"{'>= ' if now.unpriced_before else ''}${now.dollars_before:,.2f}"


def after(judged: "Effect") -> str:
    """Dollars a week with other settings; where the cost of some is unknown, there is no upper end."""
    expected, low, high = [
        judged.dollars_before + end
        for end in (judged.dollars.expected, judged.dollars.low, judged.dollars.high)
    ]
    if not judged.unpriced_before and not judged.unpriced:
        return f"${expected:,.2f} (${low:,.2f} to ${high:,.2f})"
    return f">= ${expected:,.2f} (${low:,.2f} or more)" if expected else "unknown"


def in_no_dollar(effect: "Effect") -> str:
    """How many requests are without a known cost."""
    from headgate.reports.shown import count

    return f"what {count(effect.unpriced_before, 'request')} cost, or would, is unknown, and in no dollar"


def share(value: float) -> str:
    """A share as a percentage."""
    return f"{100 * value:.1f} %"


def plain(tuned: "Tuned", applied: "Applied | None") -> dict[str, object]:
    """What was found, for programs."""
    import msgspec

    return {
        "proposed": bool(tuned.diff),
        "found": msgspec.to_builtins(tuned.found),
        "diff": tuned.diff,
        "requests": tuned.requests,
        "audits": tuned.audits,
        "since": tuned.since,
        "until": tuned.until,
        "split": tuned.split,
        "corrected": tuned.corrected,
        "applied": None if applied is None else {"kept": str(applied.kept)},
    }
