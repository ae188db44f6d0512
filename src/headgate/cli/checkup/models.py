"""Checks of models without loading them: are they there, how much context have they, do they stay here, what was measured?"""

from time import time
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned
from headgate.core.types import Failure

if TYPE_CHECKING:
    from headgate.cli.checkup.world import Met, World
    from headgate.core.cards import Card, Cards
    from headgate.core.engine import ListedModel
    from headgate.core.types import Model

BROKEN_FILE = "download the file again, or name another one"
DAY = 86_400


async def check_model(world: "World", model: "Model") -> list[Finding]:
    """Its engine has it."""
    if model.engine_kind == "llamacpp" and world.config.engines[model.engine].url is None:
        return [await check_file(model)]
    met = await world.met(model.engine)
    if not met.health.up:
        return []
    return judge_model(model, met, last_seen(model, await world.cards(), time()))


def judge_model(model: "Model", met: "Met", seen: str) -> list[Finding]:
    """Whether it is on the list of its engine. `seen`: what is known of it without loading it."""
    from headgate.cli.checkup.repairs import fetch
    from headgate.cli.survey import find_listed

    name, required = model.name, "a model that its engine has"
    if isinstance(met.listed, Failure):
        if not model.local or met.listed.reason == "malformed":
            return []  # the key or the engine has a finding of its own
        found = f"{model.engine} does not say what it has: {met.listed.detail}"
        return [warned("model", found, required, f"headgate engines test {model.engine}", about=name)]
    there = find_listed(model.id, met.listed)
    if there is None:
        return [failed("model", f"{model.engine} has no {model.id}", required, fetch(model), about=name)]
    now = ", and in its memory" if there.loaded else ""
    return [passed("model", f"{model.id} is on {model.engine}{now}{seen if model.local else ''}", about=name)]


async def check_file(model: "Model") -> Finding:
    """An embedded model: a GGUF file whose head can be read. Whether the rest can, only loading tells."""
    from headgate.cli.checkup.world import in_thread
    from headgate.core.errors import EngineError
    from headgate.engines.llamacpp.catalogue import examine

    file = await in_thread(lambda: examine(model.id))
    if isinstance(file, EngineError):
        required = "a GGUF file that llama.cpp can load"
        return failed("model", file.message, required, file.hint or BROKEN_FILE, about=model.name)
    return passed("model", f"{file.path} is there", about=model.name)


def last_seen(model: "Model", cards: "Cards", now: float) -> str:
    """When it was last loaded and measured, by its card."""
    from headgate.cli.models_words import span

    card: Card | None = cards.get((model.engine, model.id))
    if card is None:
        return ""
    days = int((now - card.measured) // DAY)
    when = "today" if days < 1 else "yesterday" if days == 1 else f"{days:,} days ago"
    took = f" and loaded in {span(card.load_seconds)}" if card.load_seconds is not None else ""
    return f"; measured {when}{took}"


async def check_context(world: "World", model: "Model") -> list[Finding]:
    """The context that is configured, as far as it can be judged without a prompt."""
    settings = world.config.engines[model.engine]
    if settings.kind == "llamacpp" and settings.url is None:
        return [judge_context(model, None)]
    met = await world.met(model.engine)
    there = None
    if met.models is not None:
        from headgate.cli.survey import find_listed

        there = find_listed(model.id, met.models)
        if there is None:
            return []  # that it is not there is a finding of its own
    return [judge_context(model, there)] if met.health.up else []


def judge_context(model: "Model", there: "ListedModel | None") -> Finding:
    """What the config says beside what its engine says. LM Studio lists what a model is loaded with, Ollama what it was trained for."""
    table, trained = f"[models.{model.lane_of or model.name}]", None
    if model.engine_kind == "ollama" and there is not None:
        trained = there.context
    if model.context is None:
        if model.engine_kind != "ollama":
            return passed("context", "the engine's own, because the config names none", about=model.name)
        found = "the config names none, so Ollama takes its own: 4,096 tokens with less than 24 GiB of VRAM"
        fix = f"write context = {min(8192, trained or 8192)} under {table}"
        return warned("context", found, "a context in the config", fix, about=model.name)
    if trained is not None and model.context > trained:
        found = f"{model.context:,} tokens are configured, but {model.id} was trained for {trained:,}"
        fix = f"write context = {trained} under {table}"
        return warned("context", found, f"{trained:,} at most", fix, about=model.name)
    found = f"{model.context:,} tokens are configured; --deep proves by a long prompt that they are real"
    return passed("context", found, about=model.name)


async def check_cloud(world: "World", name: str) -> list[Finding]:
    """Nothing of a local engine runs on somebody else's machines."""
    met = await world.met(name)
    if met.models is None:
        return []
    remote = [one.id for one in met.models if one.remote]
    named = [model for model in world.models_on(name) if not model.local]
    return judge_cloud(name, remote, named)


def judge_cloud(name: str, remote: list[str], named: "list[Model]") -> list[Finding]:
    """Models that leave the machine: on the engine's list, or in the config."""
    required = "models that run here"
    off = f"headgate engines start {name}  # sets OLLAMA_NO_CLOUD=1"
    findings = [
        warned(
            "cloud",
            f"{model.name} ({model.id}) runs on somebody else's machines: what it is asked leaves this one",
            required,
            f"take [models.{model.name}] out of headgate.toml, or leave it if that is meant",
            about=name,
        )
        for model in named
    ]
    others = sorted(set(remote) - {model.id for model in named})
    if others:
        is_or_are = "is one" if len(others) == 1 else "are some"
        found = f"{listed(others)} {is_or_are} that any program of this machine can ask, and that leaves it"
        findings.append(warned("cloud", found, required, f"{off}; or: ollama rm {others[0]}", about=name))
    return findings or [passed("cloud", "none of its models leaves this machine", about=name)]


async def check_cards(world: "World") -> list[Finding]:
    """What was measured still counts."""
    from headgate.core.cards import is_stale
    from headgate.core.errors import LedgerError

    try:
        cards = await world.cards()
    except LedgerError:
        return []  # the ledger has a finding of its own
    stale, known = [], 0
    for model in world.config.policy.named.values():
        card = cards.get((model.engine, model.id))
        if card is None or not model.local:
            continue
        known += 1
        there = await as_it_is(world, model)
        if there is not None and is_stale(card, there):
            stale.append(model.name)
    return judge_cards(stale, known)


async def as_it_is(world: "World", model: "Model") -> "ListedModel | None":
    """The model that is there now: on its engine's list, or the file of an embedded one."""
    from headgate.cli.checkup.world import in_thread
    from headgate.cli.survey import find_listed
    from headgate.core.errors import EngineError
    from headgate.engines.llamacpp.catalogue import examine

    if world.config.engines[model.engine].url is not None:
        models = (await world.met(model.engine)).models
        return find_listed(model.id, models) if models is not None else None
    file = await in_thread(lambda: examine(model.id))
    return None if isinstance(file, EngineError) else file.listed(model.id, context=None, loaded=None)


def judge_cards(stale: list[str], known: int) -> list[Finding]:
    """Which models changed since."""
    from headgate.reports.shown import count

    if not known:
        return [passed("cards", "no model was measured yet; headgate models bench --all measures them")]
    if not stale:
        return [passed("cards", f"{count(known, 'model')} measured, none has changed since")]
    return [
        warned(
            "cards",
            f"{name} has changed since it was measured",
            "figures of the model that is there",
            f"headgate models bench {name}",
            about=name,
        )
        for name in stale
    ]
