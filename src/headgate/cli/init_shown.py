"""The screens of `headgate init`: what was found, what is proposed and what it costs, and the proofs.

It gives lines and tables; which of them are talk and which are data is decided where they are printed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headgate.cli.common import table
from headgate.cli.init_look import MANAGED, Scene

if TYPE_CHECKING:
    from rich.table import Table

    from headgate.cli.init import Plan
    from headgate.config.draft import Draft, DraftModel
    from headgate.core.engine import ListedModel
    from headgate.core.errors import HeadgateError
    from headgate.fleet.programs.changes import Change
    from headgate.fleet.programs.found import Program

ASSUMED = 100e6 / 8
"""Bytes a second that a download is reckoned with, before it has been measured: 100 Mbit/s."""
MOST_NAMES = 6
"""Models that are named of those that an engine has."""


class Disk(Struct, frozen=True, kw_only=True):
    """What is to be fetched into one folder."""

    folder: str
    free: int
    needed: int

    @property
    def lacking(self) -> bool:
        """It does not hold what is to be fetched."""
        return self.needed > self.free


def found_lines(scene: Scene) -> list[str]:
    """What was found, a line each."""
    from headgate.cli.models_words import size
    from headgate.core.hardware import memory_words as words

    seen = scene.around.hardware
    rows = []
    for gpu in seen.gpus:
        driver = f", driver {gpu.driver}" if gpu.driver else ""
        free = f", {words(gpu.free)} free" if gpu.free is not None else ""
        rows.append(("GPU", f"{gpu.name}{driver}: {words(gpu.total)}{free}"))
    if not seen.gpus:
        rows.append(("GPU", "none that models can use"))
    rows.append(("RAM", f"{words(seen.ram_total)}, {words(seen.ram_available)} available"))
    features = f"; {', '.join(seen.features)}" if seen.features else ""
    cores = f"{seen.cores} {'core' if seen.cores == 1 else 'cores'}"
    rows.append(("CPU", f"{seen.processor}, {cores}{features}"))
    if seen.disk_free is not None:
        rows.append(("disk", f"{size(seen.disk_free)} free where models are kept"))
    if seen.inside:
        rows.append(("inside", ", ".join(seen.inside)))
    rows += [row for program in scene.around.programs.values() if (row := program_row(program, scene))]
    where = "Apple's GPU" if any(gpu.vendor == "apple" for gpu in seen.gpus) else "the processor"
    rows.append(
        ("embedded", scene.embedded or f"ready: llama.cpp in a child process of the gate, on {where}")
    )
    keys = ", ".join(scene.around.keys)
    rows.append(
        ("keys", f"{keys} {'is' if len(scene.around.keys) == 1 else 'are'} set" if keys else "none set")
    )
    rows += [("note", note) for note in seen.notes]
    width = max(len(name) for name, _ in rows)
    return ["found on this machine:", *(f"  {name:<{width}}  {value}" for name, value in rows)]


def program_row(program: "Program", scene: Scene) -> tuple[str, str] | None:
    """An engine as a program, with its models; None for a server that nobody misses."""
    from headgate.cli.engines_shown import state_of
    from headgate.fleet.programs.found import NAMES, exposed

    if program.kind not in MANAGED and not (program.installed or program.running):
        return None
    models = scene.listed.get(program.kind, ())
    said = f"{program.version} {state_of(program)}".strip()
    if program.running or models:
        said += f"; {names_of(models)}"
    if program.running and exposed(program):
        said += "; warning: other machines reach it, and it has no login"
    return NAMES[program.kind], said


def names_of(models: "Sequence[ListedModel]") -> str:
    """The first of its models, with their sizes."""
    from headgate.cli.models_words import size

    named = [f"{model.id} ({size(model.size)})" if model.size else model.id for model in models[:MOST_NAMES]]
    more = f" and {len(models) - MOST_NAMES} more" if len(models) > MOST_NAMES else ""
    return f"{', '.join(named)}{more}" if named else "no models yet"


def proposal_table(draft: "Draft") -> "Table":
    """The models, and how each is to run."""
    from headgate.cli.models_words import size
    from headgate.core.hardware import memory_words as words

    made = table(
        *("for", "model", "engine", "id", "quant", "tokens x at a time", "memory", "download"),
        right=("memory", "download"),
    )
    made.columns[3].no_wrap, made.columns[3].overflow = False, "fold"
    for model in draft.models:
        made.add_row(
            ", ".join(model.roles) or "as it runs",
            model.name,
            model.engine,
            model.id,
            model.quantization,
            lanes_of(model),
            words(model.need.total) if model.need else "",
            "there" if model.there else size(model.size),
        )
    return made


def lanes_of(model: "DraftModel") -> str:
    """Its contexts, and for how many requests at a time."""
    sizes = " or ".join(f"{context:,}" for context in model.contexts)
    return f"{sizes} x {model.at_a_time}" if sizes else ""


def memory_lines(draft: "Draft") -> list[str]:
    """Whether the models fit, and what to do about those whose name promises more."""
    from headgate.core.hardware import memory_words as words

    space = f"{words(draft.room.gpu)} on the GPU" if draft.room.gpu else f"{words(draft.room.ram)} of RAM"
    total = sum(model.need.total for model in draft.models if model.need)
    if draft.toys:
        return [
            "These are TOYS that ship with Headgate: no assistants. They show the whole road, and answer little that is of use."
        ]
    if not total:
        return []
    if draft.fits:
        return [
            f"Together they take {words(total)} of {space}: all of them stay loaded with their first context."
        ]
    return [
        f"Together they take {words(total)}, and {space} can be had: the gate loads them as they are needed."
    ]


def warnings(draft: "Draft") -> list[str]:
    """What a model's name promises, and this machine does not hold; and what does."""
    from headgate.config.catalogue import known_models
    from headgate.core.advice import advise, alternatives, offer
    from headgate.core.fit import fit

    said: list[str] = []
    for model in draft.models:
        found = known_models().find(model.id) if "128k" in model.id.lower() else None
        if found is None:
            continue
        known, quantization = found
        shape = known.shape_in(quantization)
        as_named = fit(shape, draft.room, known.context)
        sentences = advise(model.name, shape, as_named, draft.room)
        if sentences:
            others = alternatives(shape, as_named, draft.room, known, known_models())
            said += [*sentences, *offer(others, known.context, "f16")]
    return said


def cost_lines(draft: "Draft", disks: "Sequence[Disk]") -> list[str]:
    """Size, time and disk of what is to be fetched."""
    from headgate.cli.models_words import size, span

    whole = sum(model.size or 0 for model in draft.missing)
    if not draft.missing:
        return ["Nothing has to be downloaded."]
    names = ", ".join(model.name for model in draft.missing)
    time = f"{span(whole / ASSUMED)} at 100 Mbit/s (the real pace is shown meanwhile)"
    lines = [f"To be downloaded: {names}: about {size(whole)}, {time}."]
    for disk in disks:
        verdict = "; that is NOT enough" if disk.lacking else ""
        lines.append(f"  {size(disk.needed)} into {disk.folder}, where {size(disk.free)} are free{verdict}")
    return lines


def proof_line(row: dict[str, Any]) -> str:
    """One model's answer, or why there is none."""
    from headgate.cli.models_words import span

    if not row["ok"]:
        return f"FAIL  {row['model']}: {row['detail']}\n      next: {row['next']}"
    head = f"ok    {row['model']}  {span(row['seconds'])}"
    if row["dimensions"] is not None:
        return f"{head}  a vector of {row['dimensions']} numbers"
    pace = f", {row['tokens_per_second']:.0f} tokens/s" if row["tokens_per_second"] else ""
    answer = " ".join(row["answer"].split())
    where = f"  (on the {row['runs_on']})" if row["runs_on"] else ""
    return f"{head}  {row['tokens']} tokens{pace}{where}  {answer[:60]}"


def facts(scene: Scene, planned: "Plan") -> dict[str, Any]:
    """What was found and proposed, for programs. Keys are told by name."""
    from headgate.cli.engines_shown import row_of
    from headgate.config.clouds import CLOUDS

    draft = planned.draft
    return {
        "hardware": scene.around.hardware,
        "engines": [
            row_of(None, program, ()) | {"models": scene.listed.get(kind)}
            for kind, program in scene.around.programs.items()
        ],
        "embedded": scene.embedded or "ready",
        "keys": {cloud.variable: cloud.variable in scene.around.keys for cloud in CLOUDS},
        "proposal": {
            "models": draft.models,
            "fits": draft.fits,
            "room": draft.room,
            "download": sum(model.size or 0 for model in draft.missing),
            "disks": planned.disks,
        },
        "installs": planned.installs,
        "starts": [start_facts(name, change) for name, (change, _) in planned.starts.items()],
    }


def start_facts(name: str, change: "Change | HeadgateError") -> dict[str, Any]:
    """What it takes to start an engine, or why it cannot be done."""
    from headgate.core.errors import HeadgateError

    if isinstance(change, HeadgateError):
        return {"engine": name, "change": None, "error": change.message, "hint": change.hint}
    return {"engine": name, "change": change}
