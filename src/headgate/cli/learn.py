"""`headgate learn`: what the ledger's audits teach of the models at home, as a router that may be turned on."""

from typing import TYPE_CHECKING

import click

from headgate.cli.common import (
    DAYS_BACK,
    load,
    one_of,
    put,
    put_json,
    put_table,
    say,
    table,
    with_config,
    with_json,
)

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.spans import Span
    from headgate.lab.learned import Against, Lesson, ModelLearned


@click.command("learn")
@click.option("--days", type=DAYS_BACK, default=90, show_default=True, help="How far back to look.")
@click.option(
    "--use", "which", metavar="N|none", help="Turn router N on, or none; the open gate takes it up."
)
@click.option("--list", "listing", is_flag=True, help="List the routers that were made.")
@with_config
@with_json
def command(config_file: str | None, *, days: int, which: str | None, listing: bool, as_json: bool) -> None:
    """Learn from audits which requests a model at home answers well, and keep it as a router.

    A router is compared with the rules on requests from which nothing was learned; one that would have done worse cannot be turned
    on. Nothing changes until `headgate learn --use N`. Calls no model.
    """
    one_of(use=which is not None, list=listing)
    config = load(config_file)
    if which is not None:
        use(config, which, as_json=as_json)
    elif listing:
        list_all(config, as_json=as_json)
    else:
        make(config, days, as_json=as_json)


def make(config: "Config", days: int, *, as_json: bool) -> None:
    """Learn, keep what was learned, and say what it is.

    Raises:
        HeadgateError: there is too little to learn from, or nothing to be learned.
    """
    from time import time

    import msgspec

    from headgate.core.errors import HeadgateError
    from headgate.lab.lessons import learn_from_ledger
    from headgate.ledger.routers import save_router

    now = time()
    router, lesson = learn_from_ledger(config, now - days * 86_400)
    n = None
    if router is not None:
        n = save_router(config.ledger.path, router, msgspec.json.encode(lesson), now)
    if as_json:
        put_json({"router": n, **msgspec.to_builtins(lesson)})
    else:
        draw(lesson, n)
    if router is None:
        raise HeadgateError(
            f"{lesson.why_not}; it takes about {lesson.needs:,} audited requests", hint_of(lesson)
        )


def hint_of(lesson: "Lesson") -> str:
    """What to do where nothing was learned."""
    if lesson.gone and not lesson.models:
        return "a model that was only renamed needs its old name, engine and id in headgate.toml; one that is new has to be audited first"
    return "[audit] in headgate.toml has requests audited; headgate audit status says how far that is"


def use(config: "Config", which: str, *, as_json: bool) -> None:
    """Turn a router on, or all of them off.

    Raises:
        UsageError: there is no such router, or it may not be used.
    """
    from time import time

    import msgspec

    from headgate.core.errors import UsageError
    from headgate.core.router import NOT_COMPARED, compared
    from headgate.lab.learned import Lesson
    from headgate.ledger.routers import list_routers, read_router, use_router

    path = config.ledger.path
    if which == "none":
        if path.exists():  # else there is nothing to turn off, and a ledger begins with a request
            use_router(path, None, time())
        put_json({"router": None}) if as_json else put("no router is in use; the rules decide alone")
        return
    found = {str(kept.n): kept for kept in list_routers(path)}.get(which)
    if found is None:
        raise UsageError(f"there is no router {which}", "headgate learn --list shows those that were made")
    lesson = msgspec.json.decode(found.report, type=Lesson)
    if lesson.why_not:
        needs = f"; it takes about {lesson.needs:,} audited requests" if lesson.needs else ""
        raise UsageError(
            f"router {which} may not be used: {lesson.why_not}{needs}", "run `headgate learn` again later"
        )
    router = read_router(path, found.n)
    if router is not None and not compared(router, config.policy.learning):
        raise UsageError(f"router {which} {NOT_COMPARED}", "run `headgate learn` again")
    use_router(path, found.n, time())
    if not config.policy.learning.use:
        say("note: [learn] has use = false, so no gate asks it")
    put_json({"router": found.n}) if as_json else put(
        f"router {which} is in use; an open gate takes it up within seconds"
    )


def list_all(config: "Config", *, as_json: bool) -> None:
    """The routers that were made."""
    from datetime import UTC, datetime

    import msgspec

    from headgate.config.zones import zone_of
    from headgate.lab.learned import Lesson
    from headgate.ledger.routers import list_routers

    kept = list_routers(config.ledger.path)
    if as_json:
        told = [{"router": one.n, "made": one.made, "used": one.used, "report": one.report} for one in kept]
        put_json({"routers": told})
        return
    if not kept:
        say("note: no router was made yet; headgate learn makes one")
        return
    made = table("router", "made", "models", "state", right=("router",))
    zone = zone_of(config.timezone) or UTC
    for one in kept:
        lesson = msgspec.json.decode(one.report, type=Lesson)
        models = ", ".join(model.model for model in lesson.models if not model.refused)
        state = "in use" if one.used is not None else "not usable" if lesson.why_not else "usable"
        made.add_row(str(one.n), f"{datetime.fromtimestamp(one.made, zone):%Y-%m-%d %H:%M}", models, state)
    put_table(made)


def draw(lesson: "Lesson", n: int | None) -> None:
    """What was learned, for a person."""
    for model in lesson.models:
        put("\n".join(described(model)))
        if model.tasks and not model.refused:
            made = table("task", "audited", "good", "", right=("audited", "good"))
            for task, seen in model.tasks.items():
                silent = "" if seen.known else "too few: the rules decide"
                made.add_row(task or "no evidence", str(seen.audited), f"{seen.good:.0%}", silent)
            put_table(made)
        if model.reliability:
            made = table("foretold", "came true", "audited", right=("foretold", "came true", "audited"))
            for bin_ in model.reliability:
                made.add_row(f"{bin_.foretold:.2f}", f"{bin_.true:.2f}", str(bin_.rows))
            put_table(made)
    for model_, audits in lesson.gone.items():
        put(f"{model_}: {audits:,} audits left out; it is gone from the config, or another model now")
    for model_, audits in lesson.older.items():
        put(f"{model_}: {audits:,} audits left out; another version of it lies under its name since")
    for many, what in (
        (lesson.unanswered, "audits left out; no model at home has answered in them"),
        (lesson.unclear, "audits are unclear and teach nothing"),
        (lesson.sealed, "prompts are sealed, and no key opens them"),
    ):
        if many:
            put(f"{many:,} {what}")
    if lesson.against is not None:
        put(
            "\n".join(
                ["beside the rules, on requests from which nothing was learned", *beside(lesson.against)]
            )
        )
    if n is not None:
        state = (
            f"may not be used: {lesson.why_not}"
            if lesson.why_not
            else f"to turn it on: headgate learn --use {n}"
        )
        say(f"\nkept as router {n}; {state}")


def described(model: "ModelLearned") -> list[str]:
    """A model, line by line."""
    good = "" if model.good is None else f", {model.good:.0%} of them good"
    lines = [f"{model.model}: {model.audited:,} answers audited{good}"]
    if model.refused:
        return [*lines, f"  nothing learned: {model.refused}; it takes about {model.needs:,} audits"]
    source = "words and signals" if model.words else "signals alone (no prompts are kept)"
    lines.append(f"  learned from  {source}; {model.hints:,} more by their checks")
    if model.auc is not None and model.ece is not None:
        lines.append(f"  tested on     {model.held_out:,} newer audits")
        lines.append(f"  AUC           {spanned(model.auc)}")
        lines.append(f"  ECE           {spanned(model.ece)}, on {model.calibrated_on:,} that were left out")
    trusted = "never" if model.home_at is None else f"from a chance of {model.home_at:.2f} on"
    return [*lines, f"  trusted       {trusted}"]


def beside(against: "Against") -> list[str]:
    """The router beside the rules, line by line."""
    from headgate.reports.shown import UNKNOWN, count

    gained, dollars, wasted = against.gained, against.dollars, against.wasted
    least = ">= " if against.unpriced else ""
    paid = UNKNOWN if against.paid is None else f"{least}${against.paid:,.4f}"
    more = (
        UNKNOWN
        if dollars is None
        else f"{dollars.expected:+,.4f} ({dollars.low:+,.4f} to {dollars.high:+,.4f})"
    )
    spent = UNKNOWN if wasted is None else f"${wasted.expected:,.4f}"
    unpriced = (
        [f"  no price      of {count(round(against.unpriced), 'request')}, which are in no dollar"]
        if against.unpriced
        else []
    )
    return [
        f"  requests      {against.requests:,.0f}, told by {against.rows:,} audits",
        f"  quality       {against.quality:.2%} by the rules; {gained.expected:+.2%} ({gained.low:+.2%} to {gained.high:+.2%})",
        f"  dollars       {paid} by the rules; {more}",
        f"  wasted        {spent} on requests that home had answered well",
        *unpriced,
        f"  passed by     {against.skipped:,.0f} times, {against.seconds:,.0f} seconds of waiting spared",
        f"  brought home  {against.home:,.0f}",
    ]


def spanned(span: "Span") -> str:
    """A figure with its ends."""
    return f"{span.expected:.3f} ({span.low:.3f} to {span.high:.3f})"
