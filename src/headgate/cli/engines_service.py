"""`headgate engines start|stop|status|undo`: Ollama and LM Studio as programs of this machine.

What would be changed is shown first and done only on yes: a person's answer, or `--yes`. It does not know how anything is done;
`fleet.programs` does.
"""

import sys
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import Number, load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.errors import HeadgateError
    from headgate.fleet.programs.changes import Change, Way
    from headgate.fleet.programs.found import Program
    from headgate.fleet.programs.install import ProgramKind
    from headgate.fleet.programs.machine import Machine
    from headgate.fleet.programs.settings import Drift, Setting

KINDS = ("ollama", "lmstudio")
WAYS = ("child", "systemd", "systemd user", "launchctl", "setx")

with_yes = click.option("--yes", is_flag=True, help="Do not ask.")
with_plan = click.option("--plan", is_flag=True, help="Show what would be done, and do nothing.")


@click.command("start", short_help="Start an engine with the settings of the config")
@click.argument("name")
@with_yes
@with_plan
@click.option("--install", is_flag=True, help="Install it first, by its maker's command, if it is not here.")
@click.option(
    "--way", type=click.Choice(WAYS), help="How it gets its settings; by default as it is kept here already."
)
@click.option("--within", type=Number(1), default=30.0, show_default=True, help="Seconds until it answers.")
@with_config
@with_json
def start(
    config_file: str | None,
    name: str,
    way: "Way | None",
    within: float,
    *,
    yes: bool,
    plan: bool,
    install: bool,
    as_json: bool,
) -> None:
    """Start Ollama or LM Studio with the settings that the config wants, and prove that they took effect.

    The exact change is shown first. Exit 1 if a setting did not take effect.
    """
    from headgate.core.errors import HeadgateError
    from headgate.fleet.programs.apply import bring_up
    from headgate.fleet.programs.machine import this_machine
    from headgate.fleet.programs.plans import plan_start

    config, machine = load(config_file, prices=False), this_machine()
    engine = startable(config, name)
    wanted = wants(config, engine)
    program = look(machine, engine)
    if not program.installed and program.answer == "down":
        offer_install(machine, engine.name, program, install=install, yes=yes, plan=plan)
        program = look(machine, engine)
    rows = compare(machine, engine, program, wanted)
    if program.running and all(row.state != "drift" for row in rows):
        say(f"{engine.name} runs already at {program.url}")
        tell(engine, program, rows, None, as_json=as_json)
        prove(engine, program, rows)
        return
    change = plan_start(machine, engine, program, wanted, way)
    if isinstance(change, HeadgateError):
        raise change
    if not agreed(change, wanted, yes=yes, plan=plan, as_json=as_json):
        return
    stop_at(bring_up(machine, engine, program, change, within))
    program = look(machine, engine)
    rows = compare(machine, engine, program, wanted)
    tell(engine, program, rows, change, as_json=as_json)
    prove(engine, program, rows)


@click.command("stop", short_help="Stop an engine")
@click.argument("name")
@click.option("--foreign", is_flag=True, help="Also end one that somebody started by hand.")
@with_yes
@with_plan
@with_config
@with_json
def stop(config_file: str | None, name: str, *, foreign: bool, yes: bool, plan: bool, as_json: bool) -> None:
    """Stop Ollama or LM Studio. One that Headgate started is stopped at once; for any other you are asked."""
    from headgate.core.errors import EngineError, HeadgateError
    from headgate.fleet.programs.apply import apply
    from headgate.fleet.programs.machine import this_machine
    from headgate.fleet.programs.plans import child_of
    from headgate.fleet.programs.stopping import plan_stop

    config, machine = load(config_file, prices=False), this_machine()
    engine = startable(config, name)
    program = look(machine, engine)
    change = plan_stop(machine, engine, program, foreign=foreign)
    if isinstance(change, HeadgateError):
        raise change
    if change is None:
        say(f"{engine.name} does not run")
    else:
        ours = change.ends is not None and change.ends == child_of(machine, engine.name)
        if not agreed(change, (), yes=yes or ours, plan=plan, as_json=as_json):
            return
        stop_at(apply(machine, change))
        if (left := look(machine, engine)).running:
            raise EngineError(
                f"{engine.name} still answers at {left.url}", "headgate engines status says who runs it"
            )
        say(f"{engine.name} is stopped")
    if as_json:
        put_json({"engine": engine.name, "stopped": change is not None, "change": change})


@click.command("undo", short_help="Put back what `engines start` changed")
@click.argument("name")
@with_yes
@with_plan
@with_config
@with_json
def undo(config_file: str | None, name: str, *, yes: bool, plan: bool, as_json: bool) -> None:
    """Put back what `engines start` changed: files and variables as they were, and the engine running or not as it was."""
    from headgate.core.errors import HeadgateError
    from headgate.fleet.programs import apply
    from headgate.fleet.programs.machine import this_machine
    from headgate.fleet.programs.stopping import plan_undo

    config, machine = load(config_file, prices=False), this_machine()
    engine = startable(config, name)
    change = plan_undo(machine, engine.name)
    if isinstance(change, HeadgateError):
        raise change
    if change is None:
        say(f"there is nothing to undo for {engine.name}")
    else:
        if not agreed(change, (), yes=yes, plan=plan, as_json=as_json):
            return
        stop_at(apply.undo(machine, change))
        say(f"{engine.name} is as it was before")
    if as_json:
        put_json({"engine": engine.name, "undone": change is not None, "change": change})


@click.command("status", short_help="Show engines as programs, and their settings")
@click.argument("name", required=False)
@with_config
@with_json
def status(config_file: str | None, name: str | None, *, as_json: bool) -> None:
    """Show the engines as programs of this machine, and each setting as it is wanted and as it was found.

    Drift is shown and is no failure here; headgate doctor fails on it.
    """
    from headgate.cli.engines_shown import draw_other, draw_status, row_of
    from headgate.fleet.programs.found import find_programs
    from headgate.fleet.programs.machine import this_machine

    config, machine = load(config_file, prices=False), this_machine()
    engines = [startable(config, name)] if name else here(config)
    seen = []
    for engine in engines:
        program = look(machine, engine)
        seen.append((engine, program, compare(machine, engine, program, wants(config, engine))))
    kinds = {program.kind for _, program, _ in seen}
    others = () if name else tuple(one for one in find_programs(machine) if one.kind not in kinds)
    others = tuple(one for one in others if one.installed or one.running)
    if as_json:
        put_json(
            {
                "engines": [row_of(engine.name, program, rows) for engine, program, rows in seen],
                "others": [row_of(None, one, ()) for one in others],
            }
        )
        return
    for engine, program, rows in seen:
        draw_status(engine.name, program, rows)
    for one in others:
        put(draw_other(one))
    if not seen and not others:
        put("no engine of the config is a program that Headgate starts, and none was found beside them")


def startable(config: "Config", name: str) -> "EngineSettings":
    """The engine of that name, or the first of that kind, if it is a program of this machine."""
    from headgate.config.engine import engine_from
    from headgate.config.schema import EngineTable
    from headgate.config.values import meant
    from headgate.core.errors import UsageError
    from headgate.core.words import ENGINE_KINDS

    of_kind = [one for one in config.engines.values() if one.kind == name]
    engine = config.engines.get(name) or (of_kind[0] if of_kind else None)
    if engine is None and name in KINDS:
        engine = engine_from(name, EngineTable(kind="ollama" if name == "ollama" else "lmstudio"))
    if engine is None and name not in ENGINE_KINDS:
        known = list(dict.fromkeys([*(one.name for one in here(config)), *KINDS]))
        hint = meant(name, [*config.engines, *KINDS]) or f"one of: {', '.join(known)}"
        raise UsageError(f'there is no engine "{name}"', hint)
    kind = engine.kind if engine else name
    if engine is None or kind not in KINDS:
        raise UsageError(
            f"{name} cannot be started or stopped here: its kind is {kind}",
            "Headgate starts ollama and lmstudio; an embedded llamacpp starts with headgate up",
        )
    if not is_here(engine):
        raise UsageError(f"{name} is at {engine.url}, which is another machine", "run this command there")
    return engine


def is_here(engine: "EngineSettings") -> bool:
    """Whether its address is this machine."""
    from headgate.config import engine as engines

    return engines.is_here(engine.url)


def here(config: "Config") -> "list[EngineSettings]":
    """The engines of the config that can be started here."""
    return [one for one in config.engines.values() if one.kind in KINDS and is_here(one)]


def look(machine: "Machine", engine: "EngineSettings") -> "Program":
    """An engine as a program."""
    from headgate.fleet.programs.found import find_program

    kind: ProgramKind = "ollama" if engine.kind == "ollama" else "lmstudio"
    return find_program(machine, kind, engine.url, engine.key, engine.name)


def wants(config: "Config", engine: "EngineSettings") -> "tuple[Setting, ...]":
    """What the config wants of it."""
    from headgate.fleet.programs.settings import wanted_settings

    return wanted_settings(engine, config.policy.named.values())


def compare(
    machine: "Machine", engine: "EngineSettings", program: "Program", wanted: "tuple[Setting, ...]"
) -> "tuple[Drift, ...]":
    """Each setting, wanted and found; none of another program that answers in its place."""
    from headgate.fleet.programs.observed import found_settings
    from headgate.fleet.programs.settings import drift

    if program.answer == "other":
        return ()
    return drift(wanted, found_settings(machine, program, wanted, engine.name))


def agreed(change: "Change", wanted: "tuple[Setting, ...]", *, yes: bool, plan: bool, as_json: bool) -> bool:
    """Show the change, and whether it is to be made. False: `--plan`, it was only to be shown."""
    from headgate.cli.engines_shown import draw_change
    from headgate.core.errors import UsageError

    if plan:
        if as_json:
            put_json({"engine": change.engine, "change": change, "settings": wanted})
        else:
            put(draw_change(change, wanted))
        return False
    say(draw_change(change, wanted))
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nothing was done, because nobody is here to say yes", "--yes does it; --plan only shows it"
        )
    if not click.confirm("do it?", default=False, err=True):
        raise click.Abort
    return True


def offer_install(
    machine: "Machine", name: str, program: "Program", *, install: bool, yes: bool, plan: bool
) -> None:
    """Print its maker's command, and run it on an explicit yes: an answer, or `--install --yes`; `--yes` alone is none."""
    from headgate.core.errors import EngineError
    from headgate.fleet.programs.found import NAMES
    from headgate.fleet.programs.install import distribution, install_command

    line = install_command(program.kind, machine.system, distribution(machine))
    missing = EngineError(
        f"{NAMES[program.kind]} is not installed",
        f"{line}  # or: headgate engines start {name} --install --yes"
        if line
        else "its maker's page says how",
    )
    asks = sys.stdin.isatty() and not yes
    if plan or not line or not ((install and yes) or asks):
        raise missing
    say(f"{NAMES[program.kind]} is not installed; its maker's command for this system is\n\n  {line}\n")
    if asks and not click.confirm("run it?", default=False, err=True):
        raise missing
    code = machine.run_in_view(line)
    if code != 0:
        raise EngineError(f"the installation ended with code {code}", f"run it yourself: {line}")


def stop_at(error: "HeadgateError | None") -> None:
    """Leave with an error, if there is one."""
    if error is not None:
        raise error


def tell(
    engine: "EngineSettings",
    program: "Program",
    rows: "tuple[Drift, ...]",
    change: "Change | None",
    *,
    as_json: bool,
) -> None:
    """How the engine is now."""
    from headgate.cli.engines_shown import draw_status, row_of

    if as_json:
        shown: dict[str, Any] = row_of(engine.name, program, rows)
        put_json({**shown, "change": change})
    else:
        draw_status(engine.name, program, rows)


def prove(engine: "EngineSettings", program: "Program", rows: "tuple[Drift, ...]") -> None:
    """Fail when a setting did not take effect, and say when it cannot be told."""
    from headgate.core.errors import HeadgateError
    from headgate.reports.shown import count

    unknown = [row.name for row in rows if row.state == "unknown"]
    if unknown:
        say(f"note: whether {', '.join(unknown)} is as wanted cannot be told")
    off = [row.name for row in rows if row.state == "drift"]
    if off:
        others = [
            one
            for one in (program.unit.drop_ins if program.unit else ())
            if not one.endswith("/headgate.conf")
        ]
        raise HeadgateError(
            f"{count(len(off), 'setting')} of {engine.name} did not take effect: {', '.join(off)}",
            f"look for them in {', '.join(others)}, which wins"
            if others
            else f"headgate engines status {engine.name}",
        )
