"""Which models a plan is for, and whence it knows what they take: their engine, their file, or the catalogue.

A model's own metadata go before the catalogue, because a name may lead to another file.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from headgate.core.catalogue import KnownModel
from headgate.core.memory import KvType, Shape, caches_of

if TYPE_CHECKING:
    from headgate.config.compile import Config
    from headgate.core.engine import Engine, ManagedEngine
    from headgate.core.types import Model

USUAL = 8_192
"""Tokens of context where nobody says."""


class Subject(Struct, frozen=True, kw_only=True):
    """A model to plan for."""

    name: str
    engine: str = ""
    """The engine's name in the config; "" where it is on none yet."""
    shape: Shape | None
    """None: nothing tells what it takes."""
    source: str
    """Who told: "engine", "file" or "catalogue"; or why nobody did."""
    known: KnownModel | None = None
    context: int = USUAL
    first: int | None = None
    """Tokens of its first lane, with which it stays loaded beside the others; None: it has one context."""
    parallel: int = 1
    kv: KvType = "f16"
    """How its engine keeps the cache."""


class Survey(Struct, frozen=True):
    """Models to plan for, and what engines hold of the GPU now."""

    subjects: tuple[Subject, ...]
    held: int


async def survey_models(config: "Config", models: "Sequence[Model]") -> Survey:
    """These models of the config, asking those of its engines that can tell and are up."""
    from headgate.cli.survey import engines_of
    from headgate.core.types import Failure

    names = {model.engine for model in models if not _ours(config, model)}
    held = 0
    shapes: dict[str, Shape] = {}
    async with engines_of(config, sorted(names)) as engines:
        for name, engine in engines.items():
            asked = managed(engine)
            if asked is None or not (await asked.health()).up:
                continue
            loaded = await asked.loaded()
            held += 0 if isinstance(loaded, Failure) else sum(one.vram or 0 for one in loaded)
            for model in models:
                if model.engine == name and not isinstance(shape := await asked.shape(model.id), Failure):
                    shapes[model.name] = shape
    return Survey(tuple(_of_config(config, model, shapes.get(model.name)) for model in models), held)


def managed(engine: "Engine") -> "ManagedEngine | None":
    """The engine as one whose models can be asked about, if it is one."""
    from headgate.core.engine import ManagedEngine

    return engine if isinstance(engine, ManagedEngine) else None


def _ours(config: "Config", model: "Model") -> bool:
    """It runs in a child process of ours, which need not be started to read a file."""
    return model.engine_kind == "llamacpp" and config.engines[model.engine].url is None


def _of_config(config: "Config", model: "Model", shape: Shape | None) -> Subject:
    from headgate.config.catalogue import known_models

    found = known_models().find(model.id)
    known = found[0] if found else None
    source = "engine"
    if shape is None and _ours(config, model):
        shape, source = of_file(model.id)
    if shape is None and source == "engine":
        shape = found[0].shape_in(found[1]) if found else None
        source = (
            "catalogue" if found else f"{model.engine} does not tell, and the catalogue has no {model.id}"
        )
    trained = shape.context if shape else None
    return Subject(
        name=model.name,
        engine=model.engine,
        shape=shape,
        source=source,
        known=known,
        context=model.context or min(USUAL, trained or USUAL),
        first=config.policy.models[model.name].context if model.longer else None,
        kv=cast("KvType", config.engines[model.engine].kv_cache),
        parallel=caches_of(
            model.engine_kind,
            model.slots or config.engines[model.engine].parallel,
            embeds=model.kind == "embedding",
        ),
    )


def of_file(model: str) -> tuple[Shape | None, str]:
    """The shape that a GGUF file's head tells, or none and why."""
    from headgate.core.errors import EngineError
    from headgate.engines.llamacpp.catalogue import examine
    from headgate.engines.llamacpp.header import shape_of

    file = examine(model)
    if isinstance(file, EngineError):
        return None, file.message
    shape = shape_of(file.header, file.size)
    return shape, "file" if shape else f"{file.path} does not say what its cache takes"


def local_models(config: "Config", names: Iterable[str] = ()) -> "list[Model]":
    """The config's models that run at home: all of them, or those with these names. Of several lanes the longest counts."""
    from msgspec.structs import replace

    wanted = set(names)
    models = config.policy.models
    return [
        replace(model, context=models[model.longer[-1]].context) if model.longer else model
        for model in config.policy.named.values()
        if model.local and (not wanted or model.name in wanted)
    ]


def by_name(name: str, config: "Config") -> Subject:
    """A model that the config does not have: from the catalogue, or a GGUF file.

    Raises:
        UsageError: nothing is known of such a model.
        EngineError: the file cannot be used.
    """
    from headgate.config.catalogue import known_models
    from headgate.config.values import meant
    from headgate.core.errors import UsageError

    if name.endswith(".gguf"):
        return by_file(name)
    found = known_models().find(name)
    if found is None:
        local = [model.name for model in local_models(config)]
        words = [*local, *(known for one in known_models().models.values() for known in one.names)]
        listed = ", ".join(known_models().models)
        raise UsageError(
            f'nothing is known of a model "{name}"',
            meant(name, words) or f"name a GGUF file, or one of {listed}",
        )
    known, quantization = found
    return Subject(
        name=name,
        shape=known.shape_in(quantization),
        source="catalogue",
        known=known,
        context=min(USUAL, known.context),
    )


def by_file(file: str) -> Subject:
    """A GGUF file.

    Raises:
        EngineError: it cannot be used.
    """
    from headgate.core.errors import EngineError

    shape, source = of_file(file)
    if shape is None:
        raise EngineError(source, "name a whole GGUF file")
    return Subject(
        name=Path(file).name.removesuffix(".gguf"),
        shape=shape,
        source=source,
        context=min(USUAL, shape.context or USUAL),
    )
