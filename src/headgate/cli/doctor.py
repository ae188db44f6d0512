"""`headgate doctor`: check everything; every line that is not well ends with what repairs it.

It only talks. What is checked, and what is made of it, stands in `checkup`.
"""

import asyncio
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.checkup.findings import Finding, all_well, failed
from headgate.cli.common import console, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.checkup.rounds import Tell
    from headgate.config.compile import Config
    from headgate.core.engine import Engine

QUICK, THOROUGH = "60s", "10m"
"""How long all checks may take together."""
SLOW = 1.0
"""Seconds from which a line says how long it took."""


@click.command("doctor")
@click.option(
    "--deep",
    is_flag=True,
    help="Also load each local model, ask it, and send a prompt that nearly fills its context.",
)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option(
    "--within",
    metavar="DURATION",
    help=f"The time for all checks together. By default {QUICK}, with --deep {THOROUGH}.",
)
@with_config
@with_json
def command(config_file: str | None, within: str | None, *, deep: bool, strict: bool, as_json: bool) -> None:
    """Check everything: this machine, the gate, its engines, keys and models. Nothing is spent.

    Exit 0 only if nothing fails; warnings fail with --strict.
    """
    from headgate.cli.models_bench import duration
    from headgate.cli.runfile import find_gate

    begun = perf_counter()
    if deep and (gate := find_gate()) is not None:
        say(f"note: the gate is open at {gate.url}; its requests wait for these, and these for them")
    findings = examine(config_file, duration(within or (THOROUGH if deep else QUICK)), deep=deep)
    well = all_well(findings, strict=strict)
    if as_json:
        put_json(facts(findings, perf_counter() - begun, well=well))
    else:
        for finding in findings:
            put(draw(finding))
        put(f"\n{summary(findings, strict=strict)}")
    if not well:
        raise click.exceptions.Exit(1)


def facts(findings: Sequence[Finding], seconds: float, *, well: bool) -> dict[str, Any]:
    """The findings for programs."""
    import msgspec

    return {
        "ok": well,
        "failed": sum(one.state == "FAIL" for one in findings),
        "warned": sum(one.state == "warn" for one in findings),
        "seconds": round(seconds, 3),
        "checks": [{"name": one.name, **msgspec.to_builtins(one)} for one in findings],
    }


def draw(finding: Finding) -> str:
    """One line, two when something is to be done."""
    took = f" ({finding.seconds:.1f} s)" if finding.seconds >= SLOW else ""
    line = f"{finding.state:<4}  {finding.name}: {finding.found}"
    if finding.state == "ok":
        return line + took
    return f"{line}; required: {finding.required}{took}" + (
        f"\n      fix: {finding.fix}" if finding.fix else ""
    )


def summary(findings: Sequence[Finding], *, strict: bool) -> str:
    """The last line."""
    from headgate.reports.shown import count

    wrong, odd = (sum(one.state == state for one in findings) for state in ("FAIL", "warn"))
    warnings = count(odd, "warning")
    if wrong:
        said = f"{count(wrong, 'check')} of {len(findings)} {'fails' if wrong == 1 else 'fail'}"
        return f"{said}, and there {'is' if odd == 1 else 'are'} {warnings}" if odd else said
    if odd:
        why = ", and --strict lets them fail" if strict else ""
        return f"no check of {len(findings)} fails, but there {'is' if odd == 1 else 'are'} {warnings}{why}"
    return f"all {len(findings)} checks pass"


def examine(config_file: str | None, within: float, *, deep: bool) -> list[Finding]:
    """All checks, in the order in which things depend on each other."""
    from headgate.config.load import load_config
    from headgate.core.errors import ConfigError

    try:
        config = load_config(config_file)
    except ConfigError as error:
        return [failed("config", error.message, "a page that can be read", error.hint)]
    with progress() as tell:
        return asyncio.run(look_at(config, within, tell, thorough=deep))


async def look_at(config: "Config", within: float, tell: "Tell", *, thorough: bool) -> list[Finding]:
    """The checks of a config that can be read."""
    from headgate.cli.checkup.plan import plan
    from headgate.cli.checkup.rounds import Clock, make_all
    from headgate.cli.checkup.world import World
    from headgate.fleet.programs.machine import this_machine

    clock = Clock(within)
    engines, unusable = connect_all(config)
    world = World(config, engines, this_machine())
    try:
        findings = await make_all(plan(world, thorough=thorough), clock, tell)
    finally:
        await world.close()
    return [*unusable, *findings]


def connect_all(config: "Config") -> "tuple[dict[str, Engine], list[Finding]]":
    """The engines; and a finding for each whose table cannot be used. No embedded model is loaded before it is checked."""
    from headgate.core.errors import EngineError
    from headgate.engines.connect import connect

    engines, unusable = {}, []
    for name, settings in config.engines.items():
        models = [model for model in config.policy.models.values() if model.engine == name]
        try:
            engines[name] = connect(settings, models, eager=frozenset())
        except EngineError as error:
            unusable.append(
                failed("engine", error.message, "a table that can be used", error.hint, about=name)
            )
    return engines, unusable


@contextmanager
def progress() -> "Generator[Tell]":
    """On a terminal, what is being checked, until all is."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(stderr=True).status("checking") as status:

        def tell(names: Sequence[str]) -> None:
            status.update(f"checking {', '.join(names[:3])}{' …' if len(names) > 3 else ''}")

        yield tell
