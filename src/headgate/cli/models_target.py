"""Which model on which engine a verb is about, and the way to that engine. Shared by all of `headgate models`."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import ListedModel, ManagedEngine
    from headgate.core.errors import HeadgateError
    from headgate.core.types import Failure, Model

Function = TypeVar("Function", bound=Callable[..., Any])


class Target(Struct, frozen=True):
    """A model on an engine."""

    settings: "EngineSettings"
    id: str
    """The name that the engine knows it by."""
    model: "Model | None"
    """As the config names it; None when it does not."""

    @property
    def engine(self) -> str:
        """The engine's name in the config."""
        return self.settings.name

    @property
    def words(self) -> str:
        """How it is named on the command line."""
        return self.model.name if self.model else f"{self.id} --engine {self.engine}"


def with_target(function: Function) -> Function:
    """Add NAME and `--engine`, given to the function as `name` and `engine_name`."""
    option = click.option(
        "--engine", "engine_name", metavar="ENGINE", help="NAME is a model of this engine, in its own words."
    )
    return click.argument("name")(option(function))


def find_target(config: "Config", name: str, engine_name: str | None) -> Target:
    """The model that is meant: one of the config, by its name or its id, or with an engine any model of that.

    Raises:
        UsageError: there is none, or it is not ours to load.
    """
    from headgate.core.errors import UsageError

    models = config.policy.models.values()
    if engine_name is not None:
        settings = find_engine(config, engine_name)
        named = [one for one in models if one.engine == engine_name and name in (one.name, one.id)]
    else:
        named = [one for one in models if one.name == name] or [one for one in models if one.id == name]
        if not named:
            raise UsageError(f'there is no model "{name}" in the config', _meant(config, name))
        settings = config.engines[named[0].engine]
    if not settings.local:
        homes = ", ".join(one.name for one in models if one.local)
        raise UsageError(
            f"{name} runs on {settings.name}, on somebody else's machine: there is nothing to fetch or load",
            f"one of the local models: {homes}" if homes else "add a local engine to headgate.toml",
        )
    return Target(settings, named[0].id if named else name, named[0] if named else None)


def find_engine(config: "Config", name: str) -> "EngineSettings":
    """An engine of the config.

    Raises:
        UsageError: there is none of this name.
    """
    from headgate.config.values import meant
    from headgate.core.errors import UsageError

    if name in config.engines:
        return config.engines[name]
    hint = meant(name, config.engines) or f"one of: {', '.join(config.engines)}"
    raise UsageError(f'there is no engine "{name}"', hint)


@asynccontextmanager
async def reach(config: "Config", settings: "EngineSettings") -> AsyncGenerator["ManagedEngine"]:
    """The engine, if it is up and lets its models be managed.

    Raises:
        UsageError: its models are its own business.
        EngineError: it does not answer.
    """
    from headgate.core.engine import ManagedEngine
    from headgate.core.errors import UsageError
    from headgate.starting import build_engine

    engine = build_engine(settings, config.policy.models.values())
    try:
        if not isinstance(engine, ManagedEngine):
            raise UsageError(
                f"the models of {settings.name} ({settings.kind}) are its own business",
                "it was started with its models; Ollama, LM Studio and the embedded engine change theirs",
            )
        if not lives_in_the_gate(settings):  # then its files are all there is, and they need no child
            health = await engine.health()
            if not health.up:
                raise down(settings, health.detail)
        yield engine
    finally:
        await engine.close()


def lives_in_the_gate(settings: "EngineSettings") -> bool:
    """Whether it is the embedded engine: a child of whichever process runs it, and of no use to another."""
    return settings.kind == "llamacpp" and settings.url is None


def refuse_in_the_gate(target: Target) -> None:
    """Send nobody's model into the memory of a command that is about to end.

    Raises:
        UsageError: the engine is the embedded one.
    """
    from headgate.core.errors import UsageError

    if lives_in_the_gate(target.settings):
        raise UsageError(
            f"{target.engine} is an embedded engine: its models are in the memory of the gate, which loads them by itself",
            "headgate up opens the gate; headgate models list shows what there is",
        )


def down(settings: "EngineSettings", detail: str) -> "HeadgateError":
    """The error of an engine that does not answer."""
    from headgate.cli.checkup.repairs import bring_up
    from headgate.core.errors import EngineError

    hint = bring_up(settings) or "headgate doctor says what is wrong"
    return EngineError(f"{settings.name} does not answer: {detail}", hint)


async def known(engine: "ManagedEngine", target: Target) -> "ListedModel | None":
    """The model as its engine lists it; None when the engine does not have it.

    Raises:
        HeadgateError: the engine does not say what it has.
    """
    from headgate.cli.survey import find_listed
    from headgate.core.types import Failure

    if lives_in_the_gate(target.settings):
        return await asyncio.to_thread(_on_disk, target.id)
    listed = await engine.list_models()
    if isinstance(listed, Failure):
        raise error_of(listed, target.settings)
    return find_listed(target.id, listed)


def _on_disk(model_id: str) -> "ListedModel | None":
    """An embedded model as its file says; whether the gate has it in memory is not known here."""
    from headgate.core.errors import EngineError
    from headgate.engines.llamacpp.catalogue import examine

    file = examine(model_id)
    if isinstance(file, EngineError):
        return None
    return file.listed(model_id, context=file.header.context, loaded=None)


def missing(target: Target) -> "HeadgateError":
    """The error of a model that its engine does not have, or cannot use."""
    from headgate.core.errors import EngineError, HeadgateError

    if lives_in_the_gate(target.settings):
        from headgate.engines.llamacpp.catalogue import examine

        if isinstance(error := examine(target.id), EngineError):
            return HeadgateError(error.message, error.hint)
    return HeadgateError(
        f"{target.engine} has no {target.id}",
        f"headgate models pull {target.words}; headgate models list shows what it has",
    )


def error_of(failure: "Failure", settings: "EngineSettings") -> "HeadgateError":
    """A failure as an error for a person: what, and what to do."""
    from headgate.cli.checkup.repairs import bring_up
    from headgate.core.errors import HeadgateError

    if failure.hint:
        return HeadgateError(failure.detail, failure.hint)
    if lives_in_the_gate(settings):
        return HeadgateError(failure.detail, "headgate doctor says more")
    if failure.reason == "refused":
        return down(settings, failure.detail)
    if failure.status in (401, 403):
        return HeadgateError(failure.detail, f"correct the key of {settings.name} in headgate.toml")
    if failure.reason == "malformed":
        return HeadgateError(
            failure.detail, f"is that really {settings.kind} at {settings.url}? Its url says so"
        )
    if failure.status == 404:
        return HeadgateError(failure.detail, "headgate models list shows what is there")
    if not settings.local:
        return HeadgateError(failure.detail, bring_up(settings))
    return HeadgateError(failure.detail, f"headgate doctor, and {settings.name}'s own log, may say more")


def _meant(config: "Config", name: str) -> str:
    """The word that was probably meant, and the way to a model that has no name in the config."""
    from headgate.config.values import meant

    words = {word for model in config.policy.models.values() for word in (model.name, model.id)}
    if close := meant(name, sorted(words)):
        return close
    local = [engine.name for engine in config.engines.values() if engine.local]
    return (
        f"one of: {', '.join(config.policy.models)}; or an engine's own name with --engine {'|'.join(local)}"
    )
