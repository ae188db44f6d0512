"""`headgate audit judges`: how far each judge can be trusted, on pairs that are shipped and on your own labels; and who may judge."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import COUNT, load, put, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.judges.agreement import Agreement, Agreements
    from headgate.lab.trying_judges import Tried
    from headgate.ledger.who_judges import WhoJudges

PAIRS = 60


@click.command("judges", short_help="How far each judge can be trusted")
@click.option(
    "--pairs",
    type=COUNT,
    default=PAIRS,
    show_default=True,
    help="Ask each model about so many.",
)
@click.option(
    "--paid", is_flag=True, help="Ask a judge that costs money too, within this week's money for audits."
)
@click.option("--labels-only", is_flag=True, help="Ask nobody: only what your own labels say.")
@with_config
@with_json
def command(config_file: str | None, pairs: int, *, paid: bool, labels_only: bool, as_json: bool) -> None:
    """Show each judge pairs of answers whose truth is known, and count how often it is right.

    The pairs are shipped with Headgate and are in no benchmark. Models are asked about those that no comparison settles, each of them
    once: what a model has said is kept in the ledger, and another version of it is asked anew. Beside that stands how the judges agreed
    with your own labels: verdicts of headgate audit review, and thumbs of callers.
    """
    from headgate.core.judges.trust import WHAT_TO_DO
    from headgate.ledger.who_judges import who_judges

    config = load(config_file)
    own = labelled(config)
    tried = None if labels_only else asyncio.run(run(config, pairs, paid=paid))
    judge = who_judges(config)
    if as_json:
        put_json(facts(tried, own, judge))
        return
    if tried is not None:
        put("on pairs that are shipped with Headgate:")
        put_table(draw(tried.judges))
        for trouble in tried.troubles:
            say(f"note: {trouble.by or trouble.judge} could not be asked: {trouble.reason}")
        for sentence in remarks(tried.judges):
            say(sentence)
        put("")
    put(f"on {own.labelled:,} of your own requests with a label:")
    if own.judges:
        put_table(draw(own.judges))
    else:
        put("no judge and no label have met yet")
        say("headgate audit review makes labels; POST /v1/feedback lets callers make them")
    if own.contradictions:
        say(
            f"{own.contradictions:,} {'request has' if own.contradictions == 1 else 'requests have'} labels that contradict each other: "
            "there the person's word is taken, not the caller's"
        )
    if judge is not None:
        doubtful = judge.trust is not None and not judge.trust.trusted
        say(f"\n{'warning: ' if doubtful else ''}{judge.said}")
        if doubtful:
            say(f"hint: {WHAT_TO_DO}")
        elif judge.trust is None and judge.asked:
            say(f"hint: headgate audit judges --pairs {PAIRS} asks it on: what it has said is kept")


async def run(config: "Config", pairs: int, *, paid: bool) -> "Tried":
    """Open a gate in this process, and ask its judges."""
    from headgate.app import open_gate
    from headgate.cli.bars import Bar
    from headgate.lab.auditing.aside import Aside
    from headgate.lab.auditing.panel import Judges
    from headgate.lab.trying_judges import NOTHING_SAID, models_of, try_judges

    async with open_gate(config) as gate:
        for note in gate.notes:
            say(f"note: {note}")
        purse = gate.auditor.purse
        money = await purse.left() if paid else 0.0
        aside = Aside(gate.road, purse)
        aside.displaces = True
        judges = Judges(aside, config.audit.judge)
        panel = await judges.all_of_them(0, nobodys(), money)
        memory = NOTHING_SAID
        for judge, by in models_of(panel):
            model = gate.road.policy.models[by]
            memory = await judges.trusting.memory(model, judge)
        with Bar("judges") as bar:
            return await try_judges(panel, pairs, lambda share: bar.show(share, f"{share:.0%}"), memory)


def nobodys() -> Any:
    """What is kept of a request that may be shown to every judge."""
    from headgate.core.audits import Material
    from headgate.core.types import Request

    return Material(
        id="",
        kind="fallback",
        request=Request(id="", asked="auto", messages=()),
        task=None,
        route="",
        chain=(),
        said=(),
        answered="",
        pass_at=0.0,
        checks=(),
    )


def labelled(config: "Config") -> "Agreements":
    """What the ledger's labels say; nothing where there is no ledger yet."""
    from headgate.core.judges.agreement import agreements
    from headgate.ledger.opinions import read_agreements
    from headgate.ledger.queries import LedgerReader

    if not config.ledger.path.exists():
        return agreements([])
    with LedgerReader(config.ledger.path) as ledger, ledger.connect() as db:
        return read_agreements(db)


def draw(judges: "tuple[Agreement, ...]") -> Any:
    """The judges as a table."""
    columns = ("judge", "model", "pairs", "right", "95 %", "kappa", "too kind", "too strict", "unclear")
    made = table(*columns, right=columns[2:])
    for one in judges:
        made.add_row(
            one.judge,
            one.by or "-",
            f"{one.pairs:,}",
            "-" if one.rate is None else f"{one.rate:.0%}",
            "-" if one.low is None or one.high is None else f"{one.low:.0%} to {one.high:.0%}",
            "-" if one.kappa is None else f"{one.kappa:.2f}",
            f"{one.false_good:,}",
            f"{one.false_bad:,}",
            f"{one.unclear:,}",
        )
    return made


def remarks(judges: "tuple[Agreement, ...]") -> list[str]:
    """What one should know of single judges."""
    said = []
    for one in judges:
        name = one.by or one.judge
        if one.prefers_longer:
            said.append(
                f"{name} prefers the longer answer where it errs: {one.errors_for_longer} of {one.errors_with_longer} times"
            )
    return said


def facts(tried: "Tried | None", own: "Agreements", judge: "WhoJudges | None") -> dict[str, Any]:
    """The same for programs."""
    import msgspec

    return {
        "shipped": None if tried is None else msgspec.to_builtins(tried),
        "labels": msgspec.to_builtins(own),
        "judge": None
        if judge is None
        else {"model": judge.model.name, "trust": msgspec.to_builtins(judge.trust)},
    }
