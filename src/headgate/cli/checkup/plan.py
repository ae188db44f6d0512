"""Which checks are made for a config, and in which order they are shown."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from headgate.cli.checkup import (
    audits,
    deep,
    energy,
    engines,
    gate,
    machine,
    models,
    occupants,
    programs,
    reports,
)
from headgate.cli.checkup.findings import Finding
from headgate.cli.checkup.rounds import Task
from headgate.config.engine import is_here

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.config.engine import EngineSettings
    from headgate.core.types import Model

PUTTING_BACK = 60.0
"""Seconds for unloading what was loaded to be checked."""

Look = Callable[["World", str], Awaitable[list[Finding]]]


def plan(world: "World", *, thorough: bool) -> list[Task]:
    """Every check of this config.

    Args:
        world: what is looked at.
        thorough: also load each local model and ask it.
    """
    names = [name for name in world.config.engines if name in world.engines]
    return [
        *_machine(world, names),
        *(task for name in names for task in _engine(world, name, thorough=thorough)),
        *(
            task
            for model in world.config.policy.models.values()
            for task in _model(world, model, thorough=thorough)
        ),
        Task(check="cards", look=lambda: models.check_cards(world)),
        Task(check="prices", look=lambda: gate.check_prices(world)),
        Task(check="energy", look=lambda: energy.check_energy(world)),
        Task(check="reports", look=lambda: reports.check_reports(world)),
        Task(check="audits", look=lambda: audits.check_audits(world)),
        Task(check="judge", look=lambda: audits.check_judge(world)),
    ]


def _machine(world: "World", names: list[str]) -> list[Task]:
    def room(name: str) -> Task:
        return Task(check="disk", about=name, look=lambda: gate.check_models_disk(world, name))

    return [
        Task(check="config", look=lambda: gate.check_config(world)),
        Task(check="hardware", look=lambda: machine.check_hardware(world)),
        Task(check="memory", look=lambda: machine.check_memory(world)),
        Task(check="disk", about="ledger", look=lambda: gate.check_ledger_disk(world)),
        *(room(name) for name in names if is_here(world.config.engines[name].url) and world.models_on(name)),
        Task(check="clock", look=lambda: machine.check_clock(world)),
        Task(check="ledger", look=lambda: gate.check_ledger(world)),
        Task(check="port", look=lambda: gate.check_port(world)),
    ]


def _engine(world: "World", name: str, *, thorough: bool) -> list[Task]:
    settings = world.config.engines[name]

    def task(check: str, look: Look) -> Task:
        last = check == "gpu" and thorough
        return Task(
            check=check, about=name, look=lambda: look(world, name), turn="at last" if last else "at once"
        )

    found = [task("engine", engines.check_engine)]
    if not settings.local:
        return [*found, task("key", engines.check_key)]
    if settings.kind in ("ollama", "lmstudio") and thorough:
        found.append(
            Task(
                check="loaded",
                about=name,
                look=lambda: deep.put_back(world, name),
                turn="at last",
                limit=PUTTING_BACK,
                overtime=True,
            )
        )
    if settings.kind not in ("ollama", "lmstudio"):
        return found
    return [
        *found,
        task("version", programs.check_version),
        task("settings", programs.check_settings),
        task("exposed", programs.check_exposed),
        *([task("cloud", models.check_cloud)] if settings.kind == "ollama" else []),
        task("loaded", occupants.check_loaded),
        task("gpu", occupants.check_gpu),
    ]


def _model(world: "World", model: "Model", *, thorough: bool) -> list[Task]:
    """The checks of one model; of a longer lane only those that its context matters to."""
    if model.engine not in world.engines:
        return []
    settings = world.config.engines[model.engine]
    found = (
        []
        if model.lane_of
        else [Task(check="model", about=model.name, look=lambda: models.check_model(world, model))]
    )
    if not model.local or (not thorough and model.kind != "chat"):
        return found
    if not thorough:
        return [
            *found,
            Task(check="context", about=model.name, look=lambda: models.check_context(world, model)),
        ]
    return [*found, *_thorough(world, settings, model)]


def _thorough(world: "World", settings: "EngineSettings", model: "Model") -> list[Task]:
    load = Task(
        check="load",
        about=model.name,
        look=lambda: deep.check_load(world, model),
        limit=settings.load_within + deep.ONE_ANSWER,
        turn="in line",
    )
    if model.kind != "chat":
        return [load]
    read = Task(
        check="context",
        about=model.name,
        look=lambda: deep.check_real_context(world, model),
        limit=settings.load_within + deep.ONE_ANSWER,
        turn="in line",
    )
    return [load, read]
