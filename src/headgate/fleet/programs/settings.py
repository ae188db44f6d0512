"""What the config wants of an engine, as data, and how that differs from what it has. Pure.

`OLLAMA_CONTEXT_LENGTH` is only for callers beside the gate, which names the window in every request. Nothing here knows
whether a set of models fits; the memory plan does, and tells by `loaded`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from headgate.config.engine import EngineSettings
from headgate.core.types import Model

State = Literal["ok", "drift", "unknown"]

KEPT = "30m"
"""How long a model stays loaded after its last request. Ollama's own 5 minutes cost a load after each coffee."""

DEFAULTS = {
    "OLLAMA_HOST": "127.0.0.1:11434",
    "OLLAMA_NUM_PARALLEL": "1",
    "OLLAMA_KEEP_ALIVE": "5m",
    "OLLAMA_KV_CACHE_TYPE": "f16",
}
"""What Ollama does where nothing is set; what is not here depends on its version or on the machine."""

TRUE = ("1", "t", "true")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
SECONDS = {"h": 3600, "m": 60, "s": 1}


class Setting(Struct, frozen=True):
    """One wanted setting, with the reason in a few words."""

    name: str
    value: str
    why: str


class Found(Struct, frozen=True):
    """What an engine has: `values` as `source` tells them. `whole`: what `source` does not name is not set."""

    source: str = ""
    values: Mapping[str, str] = {}
    whole: bool = False


class Drift(Struct, frozen=True, kw_only=True):
    """One setting, wanted and found. With state `unknown`, found is None because it cannot be told; else because it is not set."""

    name: str
    wanted: str
    found: str | None
    source: str
    state: State
    why: str


def wanted_settings(
    engine: EngineSettings,
    models: Iterable[Model],
    *,
    loaded: int | None = None,
) -> tuple[Setting, ...]:
    """What the config wants of an engine.

    Args:
        engine: from the config; kinds that are no programs of this machine want nothing.
        models: all models of the config, without their longer lanes.
        loaded: how many models fit together by the memory plan; None takes all that the config names.
    """
    host, port = address(engine.url or "")
    if engine.kind == "lmstudio":
        return (
            Setting("port", str(port), "where the config looks for it"),
            Setting("bind", "127.0.0.1", "reached from this machine only"),
        )
    if engine.kind != "ollama":
        return ()
    mine = [model for model in models if model.engine == engine.name]
    windows = [model.context for model in mine if model.kind == "chat" and model.context]
    settings = [
        Setting(
            "OLLAMA_HOST", f"{host}:{port}", "where the config looks for it; reached from this machine only"
        ),
        Setting("OLLAMA_NUM_PARALLEL", str(engine.parallel), f"parallel of the engine {engine.name}"),
    ]
    if mine:
        count, why = (
            (len(mine), "the config names as many models") if loaded is None else (loaded, "as many fit")
        )
        settings.append(Setting("OLLAMA_MAX_LOADED_MODELS", str(count), why))
    if windows:
        why = "for callers beside the gate: the smallest window of its chat models"
        settings.append(Setting("OLLAMA_CONTEXT_LENGTH", str(min(windows)), why))
    if engine.kv_cache != "f16":
        settings.append(
            Setting("OLLAMA_KV_CACHE_TYPE", engine.kv_cache, f"kv_cache of the engine {engine.name}")
        )
        settings.append(Setting("OLLAMA_FLASH_ATTENTION", "1", "without it the cache is not quantized"))
    settings += [
        Setting("OLLAMA_KEEP_ALIVE", KEPT, "a model stays loaded between requests"),
        Setting("OLLAMA_NO_CLOUD", "1", "nothing leaves this machine but by a route"),
    ]
    return tuple(settings)


def address(url: str) -> tuple[str, int]:
    """The host and port to listen at; `localhost` by number, because a name may have two."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    host = "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host
    return host, parts.port or (443 if parts.scheme == "https" else 80)


def drift(wanted: Iterable[Setting], found: Iterable[Found]) -> tuple[Drift, ...]:
    """Each wanted setting beside what was found, by the first source that can tell."""
    sources = tuple(found)
    return tuple(compare(setting, sources) for setting in wanted)


def compare(setting: Setting, sources: tuple[Found, ...]) -> Drift:
    """One setting."""
    for one in sources:
        value = one.values.get(setting.name)
        if value is None and not one.whole:
            continue
        same = meaning(setting.name, value or DEFAULTS.get(setting.name)) == meaning(
            setting.name, setting.value
        )
        return Drift(
            name=setting.name,
            wanted=setting.value,
            found=value,
            source=one.source,
            state="ok" if same else "drift",
            why=setting.why,
        )
    return Drift(
        name=setting.name, wanted=setting.value, found=None, source="", state="unknown", why=setting.why
    )


def meaning(name: str, value: str | None) -> str | None:
    """A value such that two ways to write the same thing are equal."""
    text = (value or "").strip().strip("\"'").lower()
    if name == "OLLAMA_HOST":
        bare = text.rpartition("//")[2].rstrip("/")
        host, colon, port = bare.rpartition(":") if not bare.endswith("]") else (bare, "", "")
        host, port = (host, port) if colon else (bare, "11434")
        return f"{'127.0.0.1' if host in ('localhost', '') else host}:{port}"
    if name == "OLLAMA_KEEP_ALIVE" and text:
        spans = DURATION.findall(text)
        return str(sum(float(n) * SECONDS[u] for n, u in spans)) if spans else f"{text}.0"
    if name in ("OLLAMA_NO_CLOUD", "OLLAMA_FLASH_ATTENTION"):
        return "1" if text in TRUE else text
    return text or None
