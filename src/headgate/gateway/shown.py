"""What the gate shows of itself: the models that may be asked for, in each dialect's list, and how everything is.

It does not know HTTP; `serve` sends what stands here.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from headgate import __version__
from headgate.core.policy import AGENT, AUTO, Policy
from headgate.core.types import Model
from headgate.core.words import TASKS, DialectName
from headgate.fleet.fleet import Fleet
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC).isoformat().replace("+00:00", "Z")
"""When a model was made is not known here, and some clients cannot do without a date."""

EMBEDDER = f"{AUTO}:embedding"
"""The virtual model that does not answer."""

FAR_AWAY = "2319-01-01T00:00:00Z"
"""How Ollama writes that a model is not going to be unloaded."""


def askable(policy: Policy, brought: Iterable[str] = ()) -> Iterable[tuple[str, Model | None]]:
    """All that may be written as `model`: the virtual models, the agents and those that workers bring, then the models of the config."""
    yield AUTO, None
    for word in ("cheap", "quality", "local", *TASKS):
        yield f"{AUTO}:{word}", None
    for name in (*policy.agents, *brought):
        yield f"{AGENT}{name}", None
    yield from policy.named.items()


def list_models(policy: Policy, dialect: DialectName, brought: Iterable[str] = ()) -> dict[str, Any]:
    """The list of models in a dialect's form."""
    listed = [describe(name, model, dialect) for name, model in askable(policy, brought)]
    if dialect == "ollama":
        return {"models": listed}
    if dialect == "anthropic":
        return {
            "data": listed,
            "has_more": False,
            "first_id": listed[0]["id"],
            "last_id": listed[-1]["id"],
        }
    return {"object": "list", "data": listed}


def find_listed(
    policy: Policy, name: str, dialect: DialectName, brought: Iterable[str] = ()
) -> dict[str, Any] | None:
    """One model of the list, by the name in the config or the engine's own."""
    for known, model in askable(policy, brought):
        if known == name or (model is not None and model.id == name):
            return describe(known, model, dialect)
    return None


def describe(name: str, model: Model | None, dialect: DialectName) -> dict[str, Any]:
    """A model, or a virtual one (None), in a dialect's form."""
    if dialect == "ollama":
        return describe_for_ollama(name, model)
    if dialect == "anthropic":
        return {
            "type": "model",
            "id": name,
            "display_name": (model and (model.display or model.id)) or name,
            "created_at": LONG_AGO,
            "lifecycle": "active",
            "max_input_tokens": None if model is None else model.context,
            "max_tokens": None if model is None else model.max_output,
        }
    owner = "headgate" if model is None else model.engine
    root = {} if model is None else {"root": model.id}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner} | root


def describe_for_ollama(name: str, model: Model | None) -> dict[str, Any]:
    """A model as Ollama's `/api/tags` lists it: with a tag, as every name there has one.

    Sizes of files are the engines' business. The digest is one of the name alone, since Ollama's own client shows its
    first twelve digits and fails where there are none.
    """
    name = name if ":" in name else f"{name}:latest"
    details: dict[str, Any] = {
        "parent_model": "" if model is None else model.id,
        "format": "",
        "family": "" if model is None else model.engine,
        "families": None,
        "parameter_size": "",
        "quantization_level": "",
    }
    if model is not None and model.context is not None:
        details["context_length"] = model.context
    return {
        "name": name,
        "model": name,
        "modified_at": LONG_AGO,
        "size": 0,
        "digest": sha256(name.encode()).hexdigest(),
        "details": details,
        "capabilities": capabilities_for_ollama(name, model),
    }


def capabilities_for_ollama(name: str, model: Model | None) -> list[str]:
    """What a model can do, in Ollama's words. A virtual model can do what its candidates can, so it claims all."""
    if name == EMBEDDER or (model is not None and model.kind == "embedding"):
        return ["embedding"]
    if model is None:
        return ["completion", "tools", "vision"]
    words = {"tools": "tools", "images": "vision", "thinking": "thinking"}
    return ["completion", *(word for ours, word in words.items() if ours in model.capabilities)]


def show_for_ollama(policy: Policy, name: str, brought: Iterable[str] = ()) -> dict[str, Any] | None:
    """A model as Ollama's `/api/show` describes it; None if there is none of that name."""
    for known, model in askable(policy, brought):
        if name != known and (model is None or model.id != name):
            continue
        info: dict[str, Any] = {"general.architecture": "headgate"}
        if model is not None and model.context is not None:
            info["headgate.context_length"] = model.context
        listed = describe_for_ollama(known, model)
        return {
            "modelfile": f"FROM {known if model is None else model.id}",
            "parameters": "",
            "template": "",
            "details": listed["details"],
            "model_info": info,
            "capabilities": listed["capabilities"],
            "modified_at": LONG_AGO,
        }
    return None


class WireShow(Struct):
    """A body of `/api/show`; `name` is what `model` was called once."""

    model: str | None = None
    name: str | None = None


NAMED: dict[str, Any] = {"type": "string", "minLength": 1}
SHOW_FORM = Annotated[
    WireShow,
    Meta(
        extra_json_schema={
            "anyOf": [
                {"required": ["model"], "properties": {"model": NAMED}},
                {"required": ["name"], "properties": {"name": NAMED}},
            ]
        }
    ),
]
SHOW = msgspec.json.Decoder(WireShow)


def asked_to_show(body: bytes) -> str | Fault:
    """The model's name in a body of `/api/show`, "" when there is none; or what is wrong with the body."""
    asked = read(SHOW, body)
    return asked if isinstance(asked, Fault) else asked.model or asked.name or ""


def ready_for_ollama(policy: Policy, fleet: Fleet) -> dict[str, Any]:
    """`/api/ps`: the models at home that can answer now: their engine is up, and where the gate does the loading, they are loaded."""
    ready = [
        describe_for_ollama(model.name, model)
        | {"expires_at": FAR_AWAY, "size_vram": 0}
        | ({} if model.context is None else {"context_length": model.context})
        for model in policy.named.values()
        if model.local and model.engine not in fleet.down and model.name not in fleet.admission.cold
    ]
    return {"models": ready}


def state(fleet: Fleet, more: Mapping[str, Any]) -> dict[str, Any]:
    """How everything is, for /healthz; `more` is what only others know, the ledger among it."""
    scheduler = fleet.admission.scheduler
    engines = {
        name: {
            "up": name not in fleet.down,
            "detail": fleet.down.get(name, ""),
            "version": fleet.health[name].version if name in fleet.health else "",
            "running": scheduler.running[name],
            "waiting": sum([len(lane.waiting) for lane in scheduler.lanes.values() if lane.engine == name]),
        }
        for name in fleet.engines
    }
    ok = more["ledger"]["problem"] is None and any(engine["up"] for engine in engines.values())
    return {
        "status": "ok" if ok else "degraded",
        "version": __version__,
        "pid": os.getpid(),
        "engines": engines,
        **more,
    }
