"""What `headgate init` starts from: the machine, its engines and their models, and the draft of a page for them.

Nothing is changed and nothing leaves the machine: engines are asked at their local addresses only.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from headgate.core.propose import Home
from headgate.core.words import EngineKind

if TYPE_CHECKING:
    from headgate.cli.survey import Seen
    from headgate.config.draft import Draft, Served
    from headgate.config.engine import EngineSettings
    from headgate.core.engine import ListedModel
    from headgate.fleet.programs.install import ProgramKind
    from headgate.fleet.programs.machine import Machine
    from headgate.fleet.surroundings import Surroundings

Stack = Literal["agency", "toys"]
STACKS: tuple[Stack, ...] = get_args(Stack)

Fetcher = Literal["ollama", "lmstudio"]
MANAGED: tuple[Fetcher, ...] = get_args(Fetcher)
"""The programs that fetch models."""

SERVERS: dict["ProgramKind", EngineKind] = {"llama-server": "llamacpp", "vllm": "openai_compatible"}
"""The programs that were started with their models, and the kind that they are in a page."""


class Scene(Struct, frozen=True, kw_only=True):
    """All that was found."""

    around: "Surroundings"
    listed: Mapping[str, "tuple[ListedModel, ...]"]
    """The models of each program that runs and says what it has, or whose folder can be read."""
    homes: Mapping[str, Home]
    """Which models of the catalogue are there."""
    served: tuple["Served", ...]
    held: int
    """Bytes of the GPU that models hold now."""
    embedded: str
    """Why the embedded engine cannot run; "" when it can."""

    @property
    def here(self) -> tuple[EngineKind, ...]:
        """The kinds of engine that models can be fetched for now."""
        programs = self.around.programs
        found: tuple[EngineKind, ...] = tuple(
            kind
            for kind in MANAGED
            if kind in programs and (programs[kind].installed or programs[kind].running)
        )
        if found or self.served:
            return found
        return ("ollama",) if self.embedded else ("llamacpp",)


def see(machine: "Machine", stack: Stack | None) -> Scene:
    """Look at everything."""
    from headgate.config.clouds import CLOUDS
    from headgate.config.model_folders import folder_of
    from headgate.engines.llamacpp.readiness import check
    from headgate.fleet.surroundings import addresses, look_around

    told = addresses(machine)
    if stack == "agency":
        told.pop("lmstudio", None)  # this stack's is at its usual port
    folder = folder_of("ollama") or machine.home
    around = look_around(machine, folder, [cloud.variable for cloud in CLOUDS], told)
    error = check()
    seen, held = asyncio.run(ask_all(settings_for(around)))
    listed = {name: one.models for name, one in seen.items() if one.models is not None}
    listed |= {kind: on_disk(kind) for kind in MANAGED if kind not in listed}
    return Scene(
        around=around,
        listed=listed,
        homes=homes_in(listed),
        served=served_by(around, listed),
        held=held,
        embedded="" if error is None else f"{error.message} ({error.hint})",
    )


def settings_for(around: "Surroundings") -> "list[EngineSettings]":
    """The programs that run, as engines to be asked."""
    from headgate.config.engine import EngineSettings

    return [
        EngineSettings(
            name=kind, kind=SERVERS.get(kind) or engine_kind(kind), url=base_url(kind, program.url)
        )
        for kind, program in around.programs.items()
        if program.running
    ]


def engine_kind(program: "ProgramKind") -> EngineKind:
    """The kind of engine that Ollama and LM Studio are."""
    return "ollama" if program == "ollama" else "lmstudio"


def base_url(kind: "ProgramKind", url: str) -> str:
    """The address that a page has for it."""
    return f"{url.rstrip('/')}/v1" if kind == "vllm" else url


async def ask_all(engines: "Sequence[EngineSettings]") -> "tuple[dict[str, Seen], int]":
    """What each has, and how much of the GPU its models hold now."""
    from headgate.cli.survey import look_at
    from headgate.core.engine import ManagedEngine
    from headgate.core.types import Failure
    from headgate.starting import build_engine

    seen, held = {}, 0
    for settings in engines:
        engine = build_engine(settings, ())
        try:
            seen[settings.name] = await look_at(engine, settings)
            loaded = await engine.loaded() if isinstance(engine, ManagedEngine) else ()
            held += 0 if isinstance(loaded, Failure) else sum(one.vram or 0 for one in loaded)
        finally:
            await engine.close()
    return seen, held


def on_disk(kind: Fetcher) -> "tuple[ListedModel, ...]":
    """The models in the folder of a program that does not run, as far as we may read it."""
    from headgate.core.engine import ListedModel
    from headgate.engines.llamacpp.library import library

    found = [model for model in library() if model.place == kind]
    return tuple(
        ListedModel(id=model.name.partition(":")[2] if kind == "ollama" else model.path.stem)
        for model in found
    )


def homes_in(listed: "Mapping[str, tuple[ListedModel, ...]]") -> dict[str, Home]:
    """The models of the catalogue that Ollama, LM Studio or our own folder has, by the catalogue's names."""
    from headgate.config.catalogue import known_models
    from headgate.engines.llamacpp import library

    homes: dict[str, Home] = {}
    for kind in MANAGED:
        for model in listed.get(kind, ()):
            found = known_models().find(model.id)
            if found is None or model.remote:
                continue
            known, said = found
            sizes = {name.lower(): name for name in known.sizes}
            quantization = sizes.get(model.quantization.lower(), said)
            homes.setdefault(known.name, Home(kind, model.id.removesuffix(":latest"), quantization))
    for known in known_models().models.values():
        name = f"hf.co/{known.gguf}:{known.quantization}"
        if known.gguf and known.name not in homes and library.find(name) is not None:
            homes[known.name] = Home("llamacpp", name, known.quantization)
    return homes


def served_by(
    around: "Surroundings", listed: "Mapping[str, tuple[ListedModel, ...]]"
) -> "tuple[Served, ...]":
    """The servers that run with models of their own."""
    from headgate.config.draft import Served

    return tuple(
        Served(
            name=program,
            kind=kind,
            url=base_url(program, around.programs[program].url),
            models=tuple((model.id, model.context) for model in listed.get(program, ())),
        )
        for program, kind in SERVERS.items()
        if around.programs[program].running
    )


def draw_up(scene: Scene, stack: Stack | None) -> "Draft":
    """The draft of a page for what was found."""
    from headgate.config.catalogue import known_models
    from headgate.config.clouds import opened_by
    from headgate.config.draft import draft, draft_toys
    from headgate.core.propose import STACK_ENGINES, Proposal, outfit, propose, room_for
    from headgate.core.propose import STACKS as NAMED

    hardware, clouds = scene.around.hardware, opened_by(scene.around.keys)
    if stack == "toys":
        return draft_toys(room_for(hardware, ("llamacpp",)), clouds)
    engines = STACK_ENGINES if stack else scene.here
    homes = {name: home for name, home in scene.homes.items() if home.engine in engines}
    catalogue = known_models()
    if stack:
        known = NAMED[stack]
        homes = {n: h for n, h in homes.items() if (h.engine == "lmstudio") == (n == known.classification)}
        proposal = outfit(known, hardware, catalogue, engines, held=scene.held, homes=homes)
    elif not engines:
        proposal = Proposal(picks=(), room=room_for(hardware, ("ollama",), scene.held))
    else:
        proposal = propose(hardware, catalogue, engines, held=scene.held, homes=homes)
        if not proposal.picks:
            smallest = catalogue.sets[-1]
            proposal = outfit(
                smallest, hardware, catalogue, engines, parallel=1, held=scene.held, homes=homes
            )
    urls = {engine_kind(kind): one.url for kind, one in scene.around.programs.items() if kind in MANAGED}
    return draft(proposal, engines=engines, urls=urls, clouds=clouds, served=scene.served)


def found_now(draft: "Draft", scene: Scene) -> "Draft":
    """The draft, with what is there by now."""
    from headgate.cli.survey import find_listed

    kinds = {engine.name: engine.kind for engine in draft.engines}
    there = [
        model.name
        for model in draft.models
        if find_listed(model.id, scene.listed.get(kinds[model.engine], ())) is not None
    ]
    return draft.with_models_there(there)
