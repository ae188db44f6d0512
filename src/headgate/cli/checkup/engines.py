"""Checks of engines: do they answer, with which key and version, set up as wanted, for whom, and on the GPU?"""

import re
import tomllib
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned
from headgate.core.types import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.cli.checkup.world import Met, World
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import LoadedModel
    from headgate.core.types import Model
    from headgate.fleet.programs.found import Program
    from headgate.fleet.programs.settings import Drift

LEAST_OLLAMA = (0, 12, 11)
"""From here on it knows `truncate`, `shift` and `logprobs`; an older one leaves them out of account and says nothing."""
FOR_OTHERS = ("OLLAMA_CONTEXT_LENGTH", "OLLAMA_KEEP_ALIVE", "OLLAMA_NO_CLOUD")
"""Settings that the gate itself does not depend on, because it says so with each request or sends nothing there."""
ADDRESSES = ("OLLAMA_HOST", "bind")
"""Settings that the check "exposed" judges."""
REFUSALS = (401, 403)


# ── Up, and the key ──────────────────────────────────────────────────────────────────────────────────────────────────


async def check_engine(world: "World", name: str) -> list[Finding]:
    """An engine that answers as what it is said to be."""
    from headgate.cli.checkup.repairs import bring_up
    from headgate.engines.llamacpp.readiness import check

    settings = world.config.engines[name]
    if settings.kind == "llamacpp" and settings.url is None:
        error = check()
        if error is None:
            return [passed("engine", "ready; the gate runs it in a child process", about=name)]
        return [failed("engine", error.message, "a machine that can run it", error.hint, about=name)]
    met, program = await world.met(name), await world.program(name)
    stranger = not met.health.up and program is not None and program.answer == "other"
    used = bool(world.models_on(name))
    return judge_engine(settings, met, bring_up(settings), used=used, stranger=stranger)


def judge_engine(
    settings: "EngineSettings", met: "Met", fix: str, *, used: bool, stranger: bool
) -> list[Finding]:
    """Whether it is up, and what it is said to be: HTTP status 200 proves nothing.

    Args:
        settings: of the engine. One elsewhere that has no key is not asked, and has a finding of its own.
        met: how it answered.
        fix: how one that does not answer gets to.
        used: a model of the config is on it.
        stranger: another program has its port.
    """
    name, where, required = settings.name, settings.url, "an engine that answers"
    odd = isinstance(met.listed, Failure) and met.listed.reason == "malformed"
    if met.health.up and not odd:
        return [passed("engine", f"up at {where} {met.health.version}".rstrip(), about=name)]
    if not settings.local and settings.key is None and not met.health.up:
        return []
    told = met.listed.detail if isinstance(met.listed, Failure) else "it does not answer"
    found = met.health.detail or told
    if odd and settings.kind == "openai_compatible":  # some of these have no list, or one of their own shape
        found = f"something answers at {where}, but its list of models cannot be read: {told}"
        fix = f"headgate engines test {name} asks its models; if it is another program, correct its url"
        return [warned("engine", found, "an engine that lists its models", fix, about=name)]
    if odd or stranger:
        found = f"something answers at {where}, but not as {settings.kind} does: {found}"
        fix = f"correct url under [engines.{name}], or end what listens there; headgate engines status says who it is"
    if not used:
        return [warned("engine", found, f"{required}, or none", fix, about=name)]
    return [failed("engine", found, required, fix, about=name)]


async def check_key(world: "World", name: str) -> list[Finding]:
    """The key of an engine elsewhere."""
    from headgate.fleet.fleet import NEEDS_KEY

    settings = world.config.engines[name]
    needed = settings.kind in NEEDS_KEY or key_reference(world.config, name) is not None
    return judge_key(settings, await world.met(name), key_reference(world.config, name), needed=needed)


def judge_key(
    settings: "EngineSettings", met: "Met", reference: str | None, *, needed: bool
) -> list[Finding]:
    """Whether there is a key and it is accepted; the list of models costs nothing."""
    name, required = settings.name, "a key that is accepted"
    kind, _, where = (reference or "").partition(":")
    usual = "ANTHROPIC_API_KEY" if settings.kind == "anthropic" else "OPENAI_API_KEY"
    give = f"write the key into {where}" if kind == "file" else f"export {where or usual}=…"
    if settings.key is None and needed:
        found = f"{reference} is empty" if reference else "the config names none"
        fix = give if reference else f'write key = "env:{usual}" under [engines.{name}], then {give}'
        return [failed("key", found, required, fix, about=name)]
    if isinstance(met.listed, Failure) and met.listed.status in REFUSALS:
        return [
            failed(
                "key", f"refused: {met.listed.detail}", required, f"{give} with one that is valid", about=name
            )
        ]
    if settings.key is None or isinstance(met.listed, Failure):
        return []
    return [passed("key", "accepted, for its list of models, which costs nothing", about=name)]


def key_reference(config: "Config", name: str) -> str | None:
    """Where the page says that an engine's key is: "env:NAME" or "file:PATH"."""
    from headgate.config.load import starter_text

    text = config.source.read_text(encoding="utf-8") if config.source else starter_text()
    told = tomllib.loads(text)["engines"][name].get("key")
    return str(told) if told else None


# ── The program: version, settings, addresses ────────────────────────────────────────────────────────────────────────


async def check_version(world: "World", name: str) -> list[Finding]:
    """A version that can do what the gate counts on."""
    from headgate.cli.checkup.world import in_thread
    from headgate.fleet.programs.install import distribution, install_command

    settings, machine = world.config.engines[name], world.machine
    met = await world.met(name)
    if not met.health.up:
        return []
    upgrade = install_command(
        "ollama" if settings.kind == "ollama" else "lmstudio", machine.system, distribution(machine)
    )
    if settings.kind == "ollama":
        return [judge_ollama(name, met.health.version, upgrade)]
    said = await in_thread(lambda: machine.fetch(f"{bare(settings)}/api/v1/models", settings.key))
    newer = said is not None and isinstance(said.body, dict) and isinstance(said.body.get("models"), list)
    return [judge_lmstudio(name, upgrade, newer=newer)]


def judge_ollama(name: str, version: str, upgrade: str) -> Finding:
    """Ollama says its version; a build of one's own says 0.0.0 and is believed."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    told = tuple(map(int, numbers.groups())) if numbers else None
    least = ".".join(map(str, LEAST_OLLAMA))
    if told is None or told == (0, 0, 0) or told >= LEAST_OLLAMA:
        return passed("version", f"Ollama {version or 'does not say'}", about=name)
    found = f"Ollama {version}, which cuts a long prompt in silence, whatever it is asked"
    return failed("version", found, f"{least} or later", upgrade, about=name)


def judge_lmstudio(name: str, upgrade: str, *, newer: bool) -> Finding:
    """LM Studio does not say its version, but which lists it has."""
    if newer:
        return passed("version", "LM Studio 0.4 or later", about=name)
    found = "LM Studio without /api/v1, so the gate cannot load and unload its models"
    return warned("version", found, "0.4 or later", upgrade, about=name)


def bare(settings: "EngineSettings") -> str:
    """Its address without the path that people paste."""
    return (settings.url or "").rstrip("/").removesuffix("/v1")


async def check_settings(world: "World", name: str) -> list[Finding]:
    """Each setting as wanted, by whoever can tell."""
    from headgate.cli.checkup.repairs import restart
    from headgate.cli.checkup.world import in_thread
    from headgate.cli.engines_service import compare, wants

    program = await world.program(name)
    if program is None or not program.running:
        return []
    settings = world.config.engines[name]
    wanted = wants(world.config, settings)
    rows = await in_thread(lambda: compare(world.machine, settings, program, wanted))
    return [judge_settings(name, rows, restart(settings, program.started_by))]


def judge_settings(name: str, rows: "Sequence[Drift]", fix: str) -> Finding:
    """What is not as wanted. It fails if the gate depends on it."""
    rows = [row for row in rows if row.name not in ADDRESSES]
    off = [row for row in rows if row.state == "drift"]
    unknown = [row.name for row in rows if row.state == "unknown"]
    if not off:
        silent = f"; of {listed(unknown)} it cannot be told" if unknown else ""
        return passed(
            "settings", f"{len(rows) - len(unknown)} of {len(rows)} are as wanted{silent}", about=name
        )
    found = ", ".join(f"{row.name} is {row.found if row.found is not None else 'not set'}" for row in off)
    required = ", ".join(f"{row.name}={row.wanted}" for row in off)
    if all(row.name in FOR_OTHERS for row in off):
        return warned("settings", found, required, fix, about=name)
    return failed("settings", found, required, fix, about=name)


async def check_exposed(world: "World", name: str) -> list[Finding]:
    """An engine that other machines cannot reach."""
    from headgate.cli.checkup.repairs import restart

    program = await world.program(name)
    if program is None or not program.running:
        return []
    return [judge_exposed(name, program, restart(world.config.engines[name], program.started_by))]


def judge_exposed(name: str, program: "Program", fix: str) -> Finding:
    """Where it listens."""
    from headgate.fleet.programs.found import exposed

    reached = exposed(program)
    if reached is None:
        return passed("exposed", "where it listens cannot be told here", about=name)
    if not reached:
        return passed("exposed", "only this machine reaches it", about=name)
    found = f"other machines reach it at {listed(reached)}, and it has no login"
    return warned("exposed", found, "an address of this machine only", fix, about=name)


# ── What is in its memory ────────────────────────────────────────────────────────────────────────────────────────────


async def check_loaded(world: "World", name: str) -> list[Finding]:
    """Nothing in memory but what the config names, as the config names it."""
    if not (await world.met(name)).health.up:
        return []
    loaded = await world.loaded(name)
    if loaded is None:
        return []
    if isinstance(loaded, Failure):
        fix = f"headgate models ps; headgate engines status {name}"
        return [failed("loaded", loaded.detail, "an engine that says what is in its memory", fix, about=name)]
    models = [model for model in world.config.policy.models.values() if model.engine == name]
    return judge_loaded(name, loaded, models)


def judge_loaded(name: str, loaded: "Sequence[LoadedModel]", models: "Sequence[Model]") -> list[Finding]:
    """Who else uses it."""
    from headgate.cli.survey import find_listed
    from headgate.core.engine import ListedModel

    findings = []
    for one in loaded:
        ours = [model for model in models if find_listed(model.id, (ListedModel(id=one.id),))]
        windows = sorted({model.context for model in ours if model.context is not None})
        if not ours:
            found = f"{one.id} is in its memory, which the config does not name"
            fix = f"headgate models unload {one.id} --engine {name}"
        elif windows and one.context not in (None, *windows):
            found = f"{ours[0].name} is loaded with {one.context:,} tokens, which is none of its contexts"
            fix = f"headgate models load {ours[0].name}; give the other program a context of {windows[0]}"
        else:
            continue
        findings.append(
            warned("loaded", found, "no other program or gate that uses this engine", fix, about=name)
        )
    there = listed([one.id for one in loaded]) if loaded else "nothing"
    return findings or [
        passed(
            "loaded",
            f"{there} is in its memory" if len(loaded) < 2 else f"{there} are in its memory",
            about=name,
        )
    ]


async def check_gpu(world: "World", name: str) -> list[Finding]:
    """What is loaded is on the GPU, if there is one."""
    if not (await world.met(name)).health.up:
        return []
    loaded = await world.loaded(name)
    if loaded is None or isinstance(loaded, Failure):
        return []
    program = await world.program(name)
    boxed = "container" in (await world.hardware()).inside or (program and program.started_by == "container")
    fix = "nvidia-smi tells whether the driver works; then " + (
        "start the container with --gpus all"
        if boxed
        else f"headgate engines stop {name}, and headgate engines start {name}"
    )
    seen = {one.id: one for one in (*loaded, *world.proven.get(name, ()))}
    return [judge_gpu(name, list(seen.values()), fix, has_gpu=await world.has_gpu())]


def judge_gpu(name: str, loaded: "Sequence[LoadedModel]", fix: str, *, has_gpu: bool) -> Finding:
    """How much of each model is on a GPU."""
    if not has_gpu:
        return passed("gpu", "there is no GPU, so models run on the CPU", about=name)
    told = [(one.id, one.vram / one.memory) for one in loaded if one.vram is not None and one.memory]
    if not told:
        why = "nothing is loaded; --deep loads" if not loaded else "it does not say where its models are"
        return passed("gpu", why, about=name)
    off = [model for model, share in told if share == 0]
    partly = [f"{share:.0%} of {model}" for model, share in told if 0 < share < 1]
    if off:
        return failed("gpu", f"nothing of {listed(off)} is on the GPU", "all of it there", fix, about=name)
    if partly:
        smaller = "write smaller contexts, or fewer at a time; headgate models plan computes them"
        return warned("gpu", f"only {listed(partly)} is on the GPU", "all of it there", smaller, about=name)
    return passed("gpu", f"all of {listed([model for model, _ in told])} is on the GPU", about=name)
