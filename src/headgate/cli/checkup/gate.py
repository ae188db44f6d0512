"""Checks of what is the gate's own: its page, its ledger, its port, its prices."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed, warned

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.config.compile import Config
    from headgate.core.types import Model
    from headgate.ledger.soundness import Soundness

MEGABYTE, GIGABYTE = 10**6, 10**9
LEDGER_ROOM = 200 * MEGABYTE
"""Bytes that should be free where the ledger grows."""
MODEL_ROOM = GIGABYTE
"""Bytes that should be free where models are kept: less than the smallest of use."""
READING = 10.0
"""Seconds for reading the whole ledger."""


async def check_config(world: "World") -> list[Finding]:
    """A page of the user's own, which others may not read where it holds headers."""
    config = world.config
    return [judge_source(config.source), *judge_secrets(config)]


def judge_source(source: Path | None) -> Finding:
    """Whose page serves."""
    if source is None:
        return failed(
            "config", "none, so the starter page serves", "a headgate.toml of your own", "headgate init"
        )
    return passed("config", str(source))


def judge_secrets(config: "Config") -> list[Finding]:
    """Keys never stand in the page, but headers do, and some are secret."""
    holders = [name for name, settings in config.engines.items() if settings.headers]
    source = config.source
    if not holders or source is None or os.name == "nt":
        return []
    mode = source.stat().st_mode & 0o777
    if mode & 0o077 == 0:
        return [passed("secrets", f"only you may read the headers of {listed(holders)}")]
    return [
        warned(
            "secrets",
            f"other users may read {source}, which holds headers of {listed(holders)} (its mode is {mode:o})",
            "a file that only you may read",
            f"chmod 600 {source}",
        )
    ]


async def check_ledger_disk(world: "World") -> list[Finding]:
    """Room for the ledger, in a folder that we may write."""
    from headgate.cli.checkup.world import in_thread

    folder = nearest(world.config.ledger.path.parent)
    if not os.access(folder, os.W_OK):
        fix = "set [ledger] path in headgate.toml"
        return [failed("disk", f"{folder} cannot be written", "a folder of yours", fix, about="ledger")]
    usage = await in_thread(lambda: shutil.disk_usage(folder))
    return [judge_ledger_disk(folder, usage.free)]


def judge_ledger_disk(folder: Path, free: int) -> Finding:
    """Whether that is room enough."""
    found = f"{free / GIGABYTE:,.1f} GB free under {folder}"
    if free >= LEDGER_ROOM:
        return passed("disk", found, about="ledger")
    fix = "make room, or set [ledger] path in headgate.toml"
    return failed("disk", found, f"{LEDGER_ROOM / MEGABYTE:,.0f} MB", fix, about="ledger")


async def check_models_disk(world: "World", name: str) -> list[Finding]:
    """Room where an engine of this machine keeps its models."""
    from headgate.cli.checkup.world import in_thread
    from headgate.cli.survey import find_listed
    from headgate.config.catalogue import known_models
    from headgate.config.model_folders import folder_of

    settings = world.config.engines[name]
    folder = folder_of(settings.kind)
    if folder is None:
        return []
    there = nearest(folder)
    usage = await in_thread(lambda: shutil.disk_usage(there))
    missing = {}
    if settings.kind != "llamacpp":
        models = (await world.met(name)).models
        lacking = (
            [] if models is None else [m for m in world.models_on(name) if not find_listed(m.id, models)]
        )
        known = {model.name: known_models().find(model.id) for model in lacking}
        missing = {one: found[0].shape_in(found[1]).weights for one, found in known.items() if found}
    return [judge_models_disk(name, folder, usage.free, missing)]


def judge_models_disk(engine: str, folder: Path, free: int, missing: dict[str, int]) -> Finding:
    """Whether what is to be fetched has room: `missing` is bytes by the names of models."""
    found = f"{free / GIGABYTE:,.1f} GB free for models under {folder}"
    wanted = sum(missing.values())
    fix = "headgate models list  # make room: headgate models rm NAME deletes one"
    if wanted > free:
        need = f"{wanted / GIGABYTE:,.1f} GB for {listed(missing)}, which are to be fetched"
        return failed("disk", found, need, fix, about=engine)
    if free < MODEL_ROOM:
        return warned("disk", found, f"{MODEL_ROOM / GIGABYTE:g} GB", fix, about=engine)
    return passed("disk", found, about=engine)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


async def check_ledger(world: "World") -> list[Finding]:
    """A ledger that can be read, of our version, and sound."""
    from headgate.cli.checkup.world import in_thread
    from headgate.core.errors import LedgerError
    from headgate.ledger.soundness import examine_ledger

    path = world.config.ledger.path
    if not path.exists():
        return [passed("ledger", f"none yet; it will be {path}")]
    try:
        return [judge_ledger(path, await in_thread(lambda: examine_ledger(path, READING)))]
    except LedgerError as error:
        return [failed("ledger", error.message, "a readable ledger", error.hint)]


def judge_ledger(path: Path, found: "Soundness") -> Finding:
    """Its version and integrity."""
    from headgate.reports.shown import count

    if found.problem:
        return failed(
            "ledger",
            f"{path} is damaged: {found.problem}",
            "a sound ledger",
            f"mv {path} {path}.damaged  # Headgate starts a new one; sqlite3's .recover may save its rows",
        )
    if found.older:
        return warned(
            "ledger",
            f"{path} is of version {found.version}, written by an older Headgate",
            "the version of this Headgate",
            "headgate up  # adds what it lacks; nothing is lost",
        )
    told = f"{count(found.requests or 0, 'request')} in {path}"
    if found.problem is None:
        told += f", of which not all could be read in {READING:g} s"
    return passed("ledger", told)


async def check_port(world: "World") -> list[Finding]:
    """The gate's port: ours already, or free."""
    from headgate.cli.checkup.world import in_thread
    from headgate.cli.runfile import find_gate
    from headgate.core.errors import UsageError
    from headgate.gateway.listening import bind

    config = world.config
    run = await in_thread(find_gate)
    if run is None:
        try:
            bind(config.host, config.port).close()
        except UsageError as error:
            return [failed("port", error.message, "a free port", "headgate up --listen 127.0.0.1:0")]
    where = f"the gate is open at {run.url}" if run else f"{config.host}:{config.port} is free"
    return [judge_port(config, where, keys=await in_thread(lambda: keys_of(config)))]


def keys_of(config: "Config") -> int | None:
    """How many keys callers may show; None when the ledger cannot be read, which has a check of its own."""
    from headgate.core.errors import LedgerError
    from headgate.ledger.keys import list_keys

    try:
        return sum(key.revoked is None for key in list_keys(config.ledger.path))
    except LedgerError:
        return None


def judge_port(config: "Config", where: str, *, keys: int | None) -> Finding:
    """Whether those who reach the gate need a key, and have one."""
    reach = "" if config.alone else ", and other machines reach it there"
    if config.keys_required:
        if keys == 0:
            needs = "a key, because callers need one"
            return failed("port", f"{where}{reach}; there is no key", needs, "headgate keys create NAME")
        there = (
            ""
            if keys is None
            else f"; callers need a key, of which there {'is' if keys == 1 else 'are'} {keys:,}"
        )
        return passed("port", f"{where}{reach}{there}")
    if config.alone:
        return passed("port", where)
    return warned(
        "port",
        f"{where}{reach} without a key",
        "keys for callers",
        'take keys = "optional" out of [server] in headgate.toml, then headgate keys create NAME',
    )


async def check_prices(world: "World") -> list[Finding]:
    """A known price for every model and for the baseline: unknown is not zero."""
    config = world.config
    unknown = [model for model in config.policy.named.values() if model.price is None]
    prices = [unpriced(model) for model in unknown] or [passed("prices", "known for every model")]
    base = config.baseline_price
    if base is None:
        fix = 'write baseline = "gpt-4o" under [report]'
        return [*prices, failed("baseline", "its price is unknown", "a known price", fix)]
    told = f"{config.policy.baseline} at ${base.input:g}/${base.output:g} per million tokens"
    return [*prices, passed("baseline", told)]


def unpriced(model: "Model") -> Finding:
    """A model whose price nobody knows, with the lines that repair it: the user's own, or another name in the list."""
    return failed(
        "prices",
        "unknown, so what it costs is in no sum",
        "a price",
        f"write under [models.{model.name}] price = {{ input = …, output = … }}, in dollars per million tokens, "
        'or price_as = "provider/model" where the list knows it by another name',
        about=model.name,
    )
