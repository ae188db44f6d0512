"""`headgate audit run`: waiting audits are made now, instead of when nobody is there."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import COUNT, load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.audit_makers import Maker
    from headgate.config.compile import Config
    from headgate.core.words import AuditKind
    from headgate.lab.auditing.auditor import Made
    from headgate.lab.auditing.expected import Expected

PAUSE = 1.0
"""Seconds until the next try after an audit has made way for somebody."""

NAMES = {"fallback": "fallback", "local": "local answer"}


@click.command("run", short_help="Make waiting audits now")
@click.option("--limit", type=COUNT, help="Make so many at most.")
@click.option(
    "--kind", type=click.Choice(["fallback", "local"]), help="Only fallbacks, or only local answers."
)
@click.option("--yes", is_flag=True, help="Ask nothing, also where paid models answer.")
@with_config
@with_json
def command(
    config_file: str | None, limit: int | None, kind: "AuditKind | None", *, yes: bool, as_json: bool
) -> None:
    """Make the audits that wait now, and not when nobody is there.

    The gate that is open makes them, else one in this process. Requests of people go first all the same. Where paid models are to
    answer, you are told what that can cost at most and asked before; scripts say --yes.
    """
    config = load(config_file)
    made = asyncio.run(run(config, kind, limit, yes=yes))
    if as_json:
        import msgspec

        put_json({"audits": msgspec.to_builtins(made), **counted(made)})
        return
    for line in lines(made):
        put(line)


async def run(config: "Config", kind: "AuditKind | None", limit: int | None, *, yes: bool) -> "list[Made]":
    """Make them, and show how far it is; what came of each.

    Raises:
        UsageError: paid models would have to answer, and nobody here said yes.
    """
    from headgate.cli.audit_makers import open_maker

    async with open_maker(config) as maker:
        expected = await maker.expect(kind, limit)
        for sentence in announced(expected):
            say(sentence)
        number = sum([*expected.audits.values()])
        if not number:
            return []
        if expected.most > 0 and not yes:
            agree()
        made: list[Made] = []
        try:
            await make_all(maker, expected.audits, made)
        except asyncio.CancelledError:
            for line in lines(made):
                say(line)
            raise
        if len(made) < number:
            say(f"note: {left_over(number - len(made))}; headgate audit status says why")
        return made


async def make_all(maker: "Maker", audits: "Mapping[AuditKind, int]", done: "list[Made]") -> None:
    """Make what was announced, kind by kind, so that nothing is paid for that was not; what makes way for somebody is taken up again.

    Args:
        maker: makes them.
        audits: how many of each kind.
        done: gets each as it is made.
    """
    from headgate.cli.bars import Bar

    number = sum([*audits.values()])
    with Bar("audits") as bar:
        for kind, many in audits.items():
            rest = many
            while rest:
                made = await maker.make(kind)
                if made is None:
                    break
                if made.state == "interrupted":
                    await asyncio.sleep(PAUSE)
                    continue
                rest -= 1
                done.append(made)
                bar.show(len(done) / number, f"{len(done):,} of {number:,}")


def left_over(number: int) -> str:
    """That so many were expected and are not made."""
    from headgate.reports.shown import count

    return f"{count(number, 'audit')} could not be begun"


def announced(expected: "Expected") -> list[str]:
    """What is about to be done, and for how much."""
    from headgate.reports.shown import count, dollars

    parts = [count(number, NAMES[kind]) for kind, number in expected.audits.items() if number]
    told = [f"{' and '.join(parts)} to audit" if parts else "no audit is due"]
    if expected.most > 0:
        told.append(
            f"{' and '.join(expected.paid)} may be paid up to {dollars(expected.most)} for it, "
            f"of {dollars(expected.left)} that are left of this week's money"
        )
    if expected.unable:
        told.append(
            f"note: {count(expected.unable, NAMES['local'])} cannot be checked, because there is no money for a paid model: "
            "raise paid_per_week in [audit], wait for the next week, or look at them in headgate audit review"
        )
    return told


def agree() -> None:
    """Ask whether money may be spent.

    Raises:
        UsageError: nobody here can be asked.
        Abort: no.
    """
    from headgate.core.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "no audit is made, because it may cost money and nobody here can be asked",
            "headgate audit run --yes; or --kind fallback",
        )
    click.confirm("go on?", default=False, abort=True, err=True)


def counted(made: "Iterable[Made]") -> dict[str, Any]:
    """The sums for programs."""
    made = list(made)
    return {
        "verdicts": dict(Counter(one.verdict for one in made if one.verdict is not None)),
        "later": sum(one.state == "later" for one in made),
        "cost": sum([one.cost for one in made]),
    }


def lines(made: "list[Made]") -> list[str]:
    """What came of them, for people."""
    from headgate.reports.shown import count, dollars

    if not made:
        return []
    told = []
    for kind, name in NAMES.items():
        found = Counter(one.verdict for one in made if one.kind == kind and one.verdict is not None)
        if found:
            parts = ", ".join(f"{number:,} {verdict}" for verdict, number in found.most_common())
            told.append(f"{count(found.total(), name)}: {parts}")
    why = Counter(one.why for one in made if one.state == "later")
    told += [
        f"{count(number, 'audit')} will be tried again later: {reason}" for reason, number in why.items()
    ]
    told.append(f"paid {dollars(sum([one.cost for one in made]))}")
    return told
