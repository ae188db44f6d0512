"""Checks of engines: do they answer as what they are said to be, and with which key?"""

import tomllib
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, passed, warned
from headgate.core.types import Failure

if TYPE_CHECKING:
    from headgate.cli.checkup.world import Met, World
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.errors import EngineError

REFUSALS = (401, 403)


async def check_engine(world: "World", name: str) -> list[Finding]:
    """An engine that answers as what it is said to be."""
    from headgate.cli.checkup.repairs import bring_up
    from headgate.engines.llamacpp.readiness import check

    settings, used = world.config.engines[name], bool(world.models_on(name))
    if settings.kind == "llamacpp" and settings.url is None:
        return [judge_embedded(name, check(), used=used)]
    met, program = await world.met(name), await world.program(name)
    stranger = not met.health.up and program is not None and program.answer == "other"
    return judge_engine(settings, met, bring_up(settings), used=used, stranger=stranger)


def judge_embedded(name: str, error: "EngineError | None", *, used: bool) -> Finding:
    """Whether this machine can run the embedded engine."""
    if error is None:
        return passed("engine", "ready; the gate runs it in a child process", about=name)
    judged = failed if used else warned
    return judged("engine", error.message, "a machine that can run it", error.hint, about=name)


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
        fix = f"headgate engines test {name}  # asks its models; if it is another program, correct its url"
        return [warned("engine", found, "an engine that lists its models", fix, about=name)]
    if odd or stranger:
        found = f"something answers at {where}, but not as {settings.kind} does: {found}"
        fix = f"headgate engines status  # says who it is; end it, or correct url under [engines.{name}]"
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
                "key", f"refused: {met.listed.detail}", required, f"{give}  # one that is valid", about=name
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
