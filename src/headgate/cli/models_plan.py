"""`headgate models plan`: do these models fit this machine, or one that somebody thinks of buying?"""

import asyncio
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from headgate.cli.common import Number, load, put, put_json, put_table, table, with_config, with_json
from headgate.core.fit import Fit, Lane, Room
from headgate.core.memory import Need

if TYPE_CHECKING:
    from headgate.cli.plan_subjects import Subject
    from headgate.config.compile import Config
    from headgate.core.fit import Together
    from headgate.core.hardware import Hardware
    from headgate.core.memory import KvType
    from headgate.core.propose import Proposal
    from headgate.core.words import EngineKind

GIGABYTES = Number(min=0, max=1_000_000)


class Row(Struct, frozen=True, kw_only=True):
    """One model and how it fits."""

    subject: "Subject"
    fit: Fit | None
    """None: nothing tells what it takes."""
    first: Need | None = None
    """What it takes with its first context, with which it stays loaded; the same where it has one."""
    lanes: tuple[Lane, ...] = ()
    advice: tuple[str, ...] = ()


@click.command("plan", short_help="Say which models fit, here or on another machine")
@click.argument("models", nargs=-1)
@click.option("--file", "files", multiple=True, metavar="FILE", help="A GGUF file of yours.")
@click.option("--vram", type=GIGABYTES, metavar="GB", help="Plan for a card of this size; 0 is none.")
@click.option(
    "--ram",
    type=GIGABYTES,
    metavar="GB",
    help="Plan for so much RAM. GB are GiB, as vendors of memory count.",
)
@click.option("--context", type=click.IntRange(min=1), metavar="TOKENS", help="Context of one request.")
@click.option("--parallel", type=click.IntRange(min=1), metavar="N", help="Requests at a time.")
@click.option(
    "--kv",
    "kv_type",
    type=click.Choice(["f16", "q8_0", "q4_0"]),
    help="How the cache is kept. Default: as its engine's kv_cache says, else f16.",
)
@with_config
@with_json
def command(
    *,
    models: tuple[str, ...],
    files: tuple[str, ...],
    vram: float | None,
    ram: float | None,
    context: int | None,
    parallel: int | None,
    kv_type: "KvType | None",
    config_file: str | None,
    as_json: bool,
) -> None:
    """Compute the memory of models and say what fits: by default the config's models on this machine.

    MODELS are names of the config or of the catalogue, or GGUF files. Nothing is loaded and nothing is downloaded.
    """
    from headgate.cli.plan_subjects import by_file, by_name, local_models, survey_models
    from headgate.config.catalogue import known_models
    from headgate.core.hardware import room_of
    from headgate.core.propose import propose

    config = load(config_file, prices=False)
    asked = bool(models or files)
    ours = local_models(config, models) if models or not files else []
    survey = asyncio.run(survey_models(config, ours))
    others = [
        by_name(name, config) for name in dict.fromkeys(models) if name not in {model.name for model in ours}
    ]
    hardware, held = machine(vram, ram, survey.held)
    room = room_of(hardware, held) if hardware.imagined else room_here(config, hardware, held)
    subjects = (*survey.subjects, *others, *map(by_file, files))
    rows = [draw_up(one, room, context, parallel, kv_type) for one in subjects]
    proposal = None if asked else propose(hardware, known_models(), engines_of(config), held=held)
    if as_json:
        put_json(facts(hardware, rows, room, proposal))
        return
    for line in hardware_lines(hardware, room):
        put(line)
    show_rows(rows)
    for paragraph in paragraphs(rows, room):
        put("\n" + "\n  ".join(paragraph))
    if proposal is not None:
        show_proposal(proposal)


def room_here(config: "Config", hardware: "Hardware", held: int) -> Room:
    """The memory that models may take: what there is, or what `[fleet]` says."""
    from msgspec.structs import replace

    from headgate.cli.models_target import lives_in_the_gate
    from headgate.core.hardware import CARD_RESERVE
    from headgate.core.propose import room_for

    local = [settings for settings in config.engines.values() if settings.local]
    embedded = bool(local) and all(lives_in_the_gate(settings) for settings in local)
    room = room_for(hardware, ("llamacpp",) if embedded else (), held)
    if config.vram is not None:
        room = replace(room, gpu=max(0, config.vram - CARD_RESERVE))
    return room if config.ram is None else replace(room, ram=config.ram)


def engines_of(config: "Config") -> tuple["EngineKind", ...]:
    """The kinds of engine that a set may be spread over: those of the config that can fetch models, or else Ollama."""
    kinds = dict.fromkeys(settings.kind for settings in config.engines.values() if settings.local)
    return tuple(kind for kind in kinds if kind in ("ollama", "lmstudio", "llamacpp")) or ("ollama",)


def machine(vram: float | None, ram: float | None, held: int) -> "tuple[Hardware, int]":
    """This machine, or the one that the options tell of, which holds nothing yet."""
    import msgspec

    from headgate.core.hardware import imagine
    from headgate.core.memory import GIB
    from headgate.fleet.hardware import look

    size = None if ram is None else int(ram * GIB)
    if vram is not None:
        return imagine(int(vram * GIB), size), 0
    found = look()
    if size is not None:
        return msgspec.structs.replace(found, ram_total=size, ram_available=size, imagined=True), held
    return found, held


def draw_up(
    subject: "Subject", room: Room, context: int | None, parallel: int | None, kv_type: "KvType | None" = None
) -> Row:
    """How one model fits with what the options say, or else with what its config says."""
    from headgate.config.catalogue import known_models
    from headgate.core.advice import advise, alternatives, offer
    from headgate.core.fit import fit, lanes
    from headgate.core.memory import need

    shape = subject.shape
    if shape is None:
        return Row(subject=subject, fit=None, advice=(f"{subject.name}: {subject.source}.",))
    at_a_time = 1 if shape.embeds else parallel or subject.parallel
    kv = kv_type or subject.kv
    found = fit(shape, room, context or subject.context, at_a_time, kv)
    first = need(shape, subject.first, at_a_time, kv) if subject.first and not context else found.need
    advice = advise(subject.name, shape, found, room)
    if advice and found.verdict != "gpu":
        others = alternatives(shape, found, room, subject.known, known_models())
        advice += offer(others, found.need.context, kv)
    longer = lanes(shape, room, at_a_time, kv)
    return Row(subject=subject, fit=found, first=first, lanes=longer, advice=tuple(advice))


def set_of(rows: list[Row], room: Room) -> "Together | None":
    """How the models fit at the same time, each with its first context; None where it is about one, or nothing is known."""
    from headgate.core.fit import together

    needs = {row.subject.name: row.first for row in rows if row.first is not None}
    return together(needs, room) if len(needs) > 1 else None


def hardware_lines(hardware: "Hardware", room: Room) -> list[str]:
    """What is planned with, and what could not be found out."""
    from headgate.core.hardware import memory_words as words

    lines = []
    for gpu in hardware.gpus:
        driver = f", driver {gpu.driver}" if gpu.driver else ""
        free = f", {words(gpu.free)} free" if gpu.free is not None and not hardware.imagined else ""
        lines.append(f"GPU  {gpu.name}{driver}: {words(gpu.total)}{free}")
    if not lines:
        lines.append("GPU  none: models run on the CPU")
    lines.append(f"RAM  {words(hardware.ram_total)}{', shared with the GPU' if room.unified else ''}")
    gpu_room = f"{words(room.gpu)} on the GPU and " if room.gpu else ""
    lines.append(f"models may take {gpu_room}{words(room.ram)} of RAM")
    return [*lines, *(f"note: {note}" for note in hardware.notes), ""]


RUNS = {"gpu": "on the GPU", "cpu": "on the CPU", "not at all": "not at all"}


def show_rows(rows: list[Row]) -> None:
    """The table."""
    from headgate.core.hardware import memory_words as words

    figures = ("context", "weights", "KV cache", "overhead", "total", "largest")
    made = table("model", *figures[:5], "runs", figures[5], right=figures)
    for row in rows:
        found = row.fit
        if found is None:
            made.add_row(row.subject.name, *["?"] * 7)
            continue
        asked = found.need
        made.add_row(
            row.subject.name,
            times(asked.context, asked.parallel),
            words(asked.weights),
            words(asked.kv) if asked.kv else "none",
            words(asked.overhead),
            words(asked.total),
            RUNS.get(found.verdict) or f"{found.on_gpu} of {found.layers} layers on the GPU",
            f"{found.largest:,}" if found.largest else "none",
        )
    put_table(made)


def times(context: int, parallel: int) -> str:
    """A context and how many requests at a time have it: "8,192 x 4"."""
    return f"{context:,} x {parallel}"


def paragraphs(rows: list[Row], room: Room) -> list[list[str]]:
    """What to do, and how the models fit together."""
    said = [list(row.advice) for row in rows if row.advice]
    chosen = [row for row in rows if len(row.lanes) > 1]
    if chosen:
        width = max(len(row.subject.name) for row in chosen)
        lines = [
            f"{row.subject.name:<{width}}  {', '.join(times(lane.context, lane.parallel) for lane in row.lanes)}"
            for row in chosen
        ]
        said.append(["Context classes that each fits with alone (tokens x requests at a time):", *lines])
    found = set_of(rows, room)
    if found is None:
        return said
    several = any(row.fit is not None and row.first != row.fit.need for row in rows)
    return [*said, set_lines(found, "Together, each with its first context," if several else "Together")]


def set_lines(found: "Together", together: str) -> list[str]:
    """How the models fit together."""
    from headgate.core.hardware import memory_words as words

    sums = f"{together} they take {words(found.total)} of {words(found.room)}"
    if found.fits:
        return [f"{sums}: all of them can stay loaded."]
    lines = [f"{sums}: not all of them can be loaded at the same time."]
    if found.warm:
        lines.append(f"{_list(found.warm)} can stay loaded.")
    if found.swapped:
        lines.append(f"{_list(found.swapped)} would push others out, which costs seconds each time.")
    if found.beyond:
        lines.append(
            f"{_list(found.beyond)} {'does' if len(found.beyond) == 1 else 'do'} not fit even alone."
        )
    return lines


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def show_proposal(proposal: "Proposal") -> None:
    """A set that fits, for whoever has none yet."""
    from headgate.core.hardware import memory_words as words

    if not proposal.picks:
        put(
            "\nNo set of models that Headgate knows fits here; a small one by itself may: headgate models plan llama3.2:1b"
        )
        return
    put(
        f"\nA set that fits together ({words(proposal.total)} of {words(proposal.room.gpu or proposal.room.ram)}; "
        f"about {proposal.download / 1e9:.1f} GB to download):\n"
    )
    made = table("for", "model", "engine", "quantization", "context", "total", right=("context", "total"))
    for pick in proposal.picks:
        made.add_row(
            ", ".join(pick.roles),
            pick.id,
            pick.engine,
            pick.quantization,
            times(pick.context, pick.parallel),
            words(pick.need.total),
        )
    put_table(made)


def facts(hardware: "Hardware", rows: list[Row], room: Room, proposal: "Proposal | None") -> dict[str, Any]:
    """The same for programs; bytes and tokens."""
    return {
        "hardware": hardware,
        "room": room,
        "models": [row_facts(row) for row in rows],
        "together": set_of(rows, room),
        "proposal": None if proposal is None else proposal_facts(proposal),
    }


def row_facts(row: Row) -> dict[str, Any]:
    """One model; what is unknown is null."""
    from headgate.core.memory import kv_per_token

    subject, found = row.subject, row.fit
    base: dict[str, Any] = {"name": subject.name, "engine": subject.engine or None, "source": subject.source}
    shape = subject.shape
    if found is None or shape is None:
        return base | {"verdict": None, "advice": row.advice}
    asked = found.need
    return base | {
        "context": asked.context,
        "parallel": asked.parallel,
        "kv_type": asked.kv_type,
        "weights": asked.weights,
        "kv": asked.kv,
        "kv_per_token": kv_per_token(shape, asked.kv_type),
        "overhead": asked.overhead,
        "total": asked.total,
        "verdict": found.verdict,
        "layers": found.layers,
        "layers_on_gpu": found.on_gpu,
        "largest_context": found.largest,
        "largest_context_verdict": found.largest_verdict,
        "lanes": [
            {"context": lane.context, "parallel": lane.parallel, "total": lane.need.total}
            for lane in row.lanes
        ],
        "advice": row.advice,
    }


def proposal_facts(proposal: "Proposal") -> dict[str, Any]:
    """A proposed set, its models without what the catalogue says beside."""
    return {
        "total": proposal.total,
        "download": proposal.download,
        "models": [
            {
                "roles": pick.roles,
                "engine": pick.engine,
                "id": pick.id,
                "quantization": pick.quantization,
                "context": pick.context,
                "parallel": pick.parallel,
                "weights": pick.need.weights,
                "total": pick.need.total,
                "licence": pick.model.licence,
            }
            for pick in proposal.picks
        ],
    }
