"""`headgate init`: look at the machine, propose models that fit it, and after a yes for each: start, fetch, write, prove.

Each thing that changes the machine has a question of its own, or a word on the command line; `--yes` alone writes the page and
nothing else. The page is written last, whole or not at all, so whoever was stopped runs the command again and it goes on.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from headgate.cli.common import put, put_json, put_table, say, with_config, with_json
from headgate.cli.init_look import MANAGED, STACKS, Scene, Stack, see

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headgate.cli.init_shown import Disk
    from headgate.config.compile import Config
    from headgate.config.draft import Draft, DraftModel
    from headgate.core.errors import HeadgateError
    from headgate.fleet.programs.changes import Change
    from headgate.fleet.programs.machine import Machine
    from headgate.fleet.programs.settings import Setting


class Wish(Struct, frozen=True, kw_only=True):
    """What the user allows."""

    stack: Stack | None
    asks: bool
    """Somebody is here to be asked."""
    start: bool
    download: bool


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that would be done."""

    draft: "Draft"
    config: "Config"
    text: str
    disks: "tuple[Disk, ...]"
    starts: "dict[str, tuple[Change | HeadgateError, tuple[Setting, ...]]]"
    """By engine."""
    installs: dict[str, str]
    """The makers' commands of engines that are not here, by their title."""


@click.command("init")
@click.option(
    "--yes", is_flag=True, help="Do not ask: write the page. Downloads and starts nothing by itself."
)
@click.option("--download", is_flag=True, help="With --yes: also download the models that are not there.")
@click.option("--start", is_flag=True, help="With --yes: also start engines that are installed.")
@click.option("--plan", is_flag=True, help="Show everything, and do nothing.")
@click.option(
    "--stack",
    type=click.Choice(STACKS),
    help="agency: Ollama with llama3.1:8b, qwen2.5-coder:7b and nomic-embed-text, LM Studio with Phi-3-mini-128k. "
    "toys: the small models that ship with Headgate, to try it out.",
)
@click.option("--force", is_flag=True, help="Overwrite a headgate.toml that is there, and keep a backup.")
@with_config
@with_json
def command(
    config_file: str | None,
    *,
    yes: bool,
    download: bool,
    start: bool,
    plan: bool,
    stack: Stack | None,
    force: bool,
    as_json: bool,
) -> None:
    """Find GPU, engines, models and keys; propose models that fit together; fetch them; write headgate.toml; prove each.

    Nothing is installed, started or downloaded without a yes of its own. --config names the file to write.
    """
    from headgate.cli.init_shown import facts, found_lines
    from headgate.fleet.programs.machine import this_machine

    path = Path(config_file or "headgate.toml").expanduser().absolute()
    if not plan:
        check_place(path, force=force)
    asks = not (yes or plan or as_json) and sys.stdin.isatty()
    wish = Wish(stack=stack, asks=asks, start=start, download=download)
    machine = this_machine()
    scene = see(machine, stack)
    show = put if plan and not as_json else say
    for line in found_lines(scene):
        show(line)
    if asks and offer_installs(machine, scene, stack):
        scene = see(machine, stack)
    planned = make_plan(machine, scene, path, stack)
    show_plan(planned, show, whole=plan)
    if plan:
        if as_json:
            put_json(facts(scene, planned) | {"page": planned.text})
        return
    done = carry_out(machine, scene, planned, wish, path)
    if as_json:
        put_json(facts(scene, planned) | done)
    else:
        say("\nnext:")
        for step in done["next"]:
            say(f"  {step}")
    if done["failed"] or any(not row["ok"] for row in done["proofs"]):
        raise click.exceptions.Exit(1)


def check_place(path: Path, *, force: bool) -> None:
    """Find out before anything is done whether the page can be written.

    Raises:
        UsageError: there is one already.
        HeadgateError: its folder cannot be written.
    """
    from headgate.core.errors import HeadgateError, UsageError

    if path.is_file() and not force:
        raise UsageError(
            f"{path} is there already",
            "headgate init --force overwrites it and keeps a backup; headgate config check reads it",
        )
    folder = next(place for place in path.parents if place.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK) or path.is_dir():
        raise HeadgateError(f"{path} cannot be written", "name a place that you may write to, with --config")


def offer_installs(machine: "Machine", scene: Scene, stack: Stack | None) -> bool:
    """Offer the makers' commands of engines that are not here; whether one was run."""
    from headgate.cli.init_steps import install

    ran = False
    for title, line in installs_for(machine, scene, stack).items():
        say(f"\n{title} is not installed; its maker's command for this system is\n\n  {line}\n")
        if click.confirm(f"install {title} by it?", default=False, err=True):
            ran = install(machine, line) or ran
    return ran


def installs_for(machine: "Machine", scene: Scene, stack: Stack | None) -> dict[str, str]:
    """The makers' commands of engines that would be of use here and are not installed."""
    from headgate.cli.init_steps import install_line
    from headgate.fleet.programs.found import NAMES

    if stack == "toys":
        return {}
    programs = scene.around.programs
    absent = [kind for kind in MANAGED if not (programs[kind].installed or programs[kind].running)]
    if stack is None and (len(absent) < len(MANAGED) or scene.served):
        return {}
    wanted = absent if stack else absent[:1]
    lines = {NAMES[kind]: install_line(machine, kind) for kind in wanted}
    return {title: line for title, line in lines.items() if line}


def make_plan(machine: "Machine", scene: Scene, path: Path, stack: Stack | None) -> Plan:
    """What would be done, given what was found."""
    from headgate.cli.init_look import draw_up

    return plan_of(machine, scene, path, draw_up(scene, stack), installs_for(machine, scene, stack))


def plan_of(machine: "Machine", scene: Scene, path: Path, draft: "Draft", installs: dict[str, str]) -> Plan:
    """The plan that a draft leads to."""
    from headgate.cli.init_steps import disks_for, start_of
    from headgate.config.load import parse_config
    from headgate.config.page import write_page

    text = write_page(draft, scene.around.hardware)
    config = parse_config(text, path, lambda *_: None)
    starts = {
        name: change
        for name, settings in config.engines.items()
        if settings.local and (change := start_of(machine, config, settings)) is not None
    }
    return Plan(
        draft=draft,
        config=config,
        text=text,
        disks=disks_for(draft, config),
        starts=starts,
        installs=installs,
    )


def show_plan(planned: Plan, show: "Callable[[str], None]", *, whole: bool) -> None:
    """The proposal, what it costs, and with `--plan` also what would be started and written."""
    from headgate.cli.engines_shown import draw_change
    from headgate.cli.init_shown import cost_lines, memory_lines, proposal_table, warnings
    from headgate.fleet.programs.changes import Change

    draft = planned.draft
    show("\nproposed:\n")
    put_table(proposal_table(draft), talk=show is say)
    for paragraph in (memory_lines(draft), warnings(draft), cost_lines(draft, planned.disks)):
        if paragraph:
            show("\n" + "\n".join(paragraph))
    if not whole:
        return
    for title, line in planned.installs.items():
        show(f"\n{title} is not installed; its maker's command for this system: {line}")
    for name, (change, wanted) in planned.starts.items():
        if isinstance(change, Change):
            show(f"\n{draw_change(change, wanted)}")
        else:
            show(f"\n{name}: {change.message}\n  hint: {change.hint}")
    show(f"\nheadgate.toml would be:\n\n{planned.text}")


def carry_out(machine: "Machine", scene: Scene, planned: Plan, wish: Wish, path: Path) -> dict[str, Any]:
    """Do what was said yes to; what was done, and what is next."""
    from headgate.cli.init_look import found_now
    from headgate.cli.init_shown import proof_line
    from headgate.cli.init_steps import disks_for, prove
    from headgate.config.load import parse_config
    from headgate.config.page import write_page

    started = start_engines(machine, planned, wish)
    if started:
        scene = see(machine, wish.stack)
    up = engines_up(scene, planned.draft)
    draft = found_now(planned.draft, scene)
    wanted = [model for model in draft.missing if model.engine in up]
    fetching = bool(wanted) and may_download(wanted, disks_for(draft, planned.config), wish)
    draft = draft if fetching else draft_or_toys(draft, scene, wish)
    if wish.asks and not click.confirm(f"write {path}?", default=True, err=True):
        raise click.Abort
    failed = [model.name for model in wanted] if wish.download and not fetching else []
    if fetching:
        draft, failed = fetch(draft, wanted, planned.config)
        draft = draft_or_toys(draft, scene, wish)
        failed = [] if draft.toys else failed
    text = write_page(draft, scene.around.hardware)
    config = parse_config(text, path, lambda *_: None)
    kept = write(path, text)
    say(f"\nwrote {path}" + (f"; what was there is {kept}" if kept else ""))
    names = [model.name for model in draft.models if model.there and (model.toy or model.engine in up)]
    if names:
        say("one real answer of each model:")
    proofs = asyncio.run(prove(config, draft, names, lambda row: say(f"  {proof_line(row)}")))
    slow = [row["model"] for row in proofs if draft.room.gpu and row.get("runs_on") == "CPU"]
    if slow:
        say(
            f"warning: {', '.join(slow)} ran on the processor, though there is a GPU; the engine's log says why"
        )
    return {
        "written": str(path),
        "backup": str(kept) if kept else None,
        "started": started,
        "downloaded": [model.name for model in wanted if fetching and model.name not in failed],
        "failed": failed,
        "proofs": proofs,
        "next": next_steps(draft, planned, scene, started),
    }


def start_engines(machine: "Machine", planned: Plan, wish: Wish) -> list[str]:
    """Start the engines that somebody says yes to; the names of those that were started."""
    from headgate.cli.engines_shown import draw_change
    from headgate.cli.init_steps import start
    from headgate.fleet.programs.changes import Change

    started = []
    for name, (change, wanted) in planned.starts.items():
        if not isinstance(change, Change):
            say(f"\nnote: {change.message}\n  hint: {change.hint}")
            continue
        if not (wish.asks or wish.start):
            continue
        say(f"\n{draw_change(change, wanted)}")
        agreed = wish.start or click.confirm("do it?", default=False, err=True)
        if agreed and start(machine, planned.config.engines[name], change):
            started.append(name)
    return started


def engines_up(scene: Scene, draft: "Draft") -> frozenset[str]:
    """The page's engines that answer now; the embedded one starts with whoever needs it."""
    running = {kind for kind, program in scene.around.programs.items() if program.running}
    return frozenset(
        engine.name
        for engine in draft.engines
        if engine.kind in running or engine.name in running or (engine.kind == "llamacpp" and not engine.url)
    )


def may_download(wanted: "Sequence[DraftModel]", disks: "Sequence[Disk]", wish: Wish) -> bool:
    """Whether these models are to be fetched now: there is room, and somebody said so."""
    from headgate.cli.models_words import size

    for disk in disks:
        if disk.lacking:
            say(
                f"\nerror: {size(disk.needed)} are to be fetched, and {size(disk.free)} are free in {disk.folder}; nothing is "
                "downloaded\n  hint: make room, then headgate models pull NAME for each"
            )
            return False
    if not wish.asks:
        return wish.download
    total = size(sum(model.size or 0 for model in wanted))
    say("")
    return click.confirm(f"download about {total} now?", default=False, err=True)


def fetch(draft: "Draft", wanted: "Sequence[DraftModel]", config: "Config") -> "tuple[Draft, list[str]]":
    """Fetch these; the draft with what is there now, and the names that failed."""
    from headgate.cli.init_steps import fetch_all, stopped

    try:
        done, failed = fetch_all(wanted, config)
    except KeyboardInterrupt:
        raise stopped(draft) from None
    return draft.with_models_there(done), failed


def draft_or_toys(draft: "Draft", scene: Scene, wish: Wish) -> "Draft":
    """The toys instead, where the embedded engine is all there is, no model could be had, and somebody wants to see it work."""
    from headgate.cli.init_look import draw_up

    alone = all(engine.kind == "llamacpp" and not engine.url for engine in draft.engines)
    have = any(model.there for model in draft.models if model.kind == "chat")
    if not wish.asks or not alone or have:
        return draft
    say("\nNo model is there. Headgate ships with toys: no assistants, but they show that everything works.")
    return (
        draw_up(scene, "toys")
        if click.confirm("write a page with the toys?", default=False, err=True)
        else draft
    )


def write(path: Path, text: str) -> Path | None:
    """Write the page whole; what was there is kept beside it, under the name that is given."""
    from headgate.fleet.programs.journal import write_whole

    path, kept = path.resolve(), None  # of a link, what it leads to is written
    if path.exists():
        names = (path.with_name(f"{path.name}.bak{number or ''}") for number in range(1_000_000))
        kept = next(name for name in names if not name.exists())
        write_whole(kept, path.read_text(encoding="utf-8", errors="surrogateescape"))
    write_whole(path, text)
    return kept


def next_steps(draft: "Draft", planned: Plan, scene: Scene, started: "Sequence[str]") -> list[str]:
    """The commands that are of use now, in order."""
    from headgate.config.clouds import CLOUDS
    from headgate.fleet.programs.changes import Change

    steps = [f"{line}  # installs {title}" for title, line in planned.installs.items()]
    for name, (change, _) in planned.starts.items():
        if name not in started:
            verb = "start" if isinstance(change, Change) else "status"
            steps.append(f"headgate engines {verb} {name}")
    steps += [f"headgate models pull {model.name}" for model in draft.missing]
    if draft.missing and not scene.embedded and not any(model.there for model in draft.models):
        steps.append("headgate init --stack toys --force  # to try it without a download")
    if not draft.clouds:
        steps.append(f"export {CLOUDS[0].variable}=…  # without a key, nothing ever leaves this machine")
    return [*steps, "headgate doctor", "headgate up", 'headgate ask "What is a headgate?"']
