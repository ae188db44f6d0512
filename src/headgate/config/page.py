"""Write a new headgate.toml from a draft: with comments that say why, so that whoever reads it can change it.

Pure. The parts that depend on no machine are those of the starter page.
"""

from headgate.config.clouds import CLOUDS, Cloud
from headgate.config.draft import Draft, DraftEngine, DraftModel
from headgate.config.load import starter_text
from headgate.core.catalogue import Role
from headgate.core.hardware import Hardware, memory_words
from headgate.core.memory import GIB

BESIDE = 34
"""The column at which comments begin."""


def write_page(draft: Draft, hardware: Hardware) -> str:
    """The text of the page."""
    parts = [
        head(draft, hardware),
        *(engine_table(engine) for engine in draft.engines),
        fleet_table(draft, hardware),
        *model_tables(draft),
        *(cloud_tables(draft.clouds) if draft.clouds else [no_cloud()]),
        *route_tables(draft),
        rest(),
    ]
    return "\n\n".join(parts) + "\n"


def head(draft: Draft, hardware: Hardware) -> str:
    """What this is, and the machine that it was written for."""
    cards = ", ".join(f"{gpu.name} ({memory_words(gpu.total)})" for gpu in hardware.gpus) or "no GPU"
    lines = [
        "# Headgate: easy prompts at home, hard ones in the cloud, and a report that proves it.",
        f"# Written by `headgate init` for this machine: {cards}, {memory_words(hardware.ram_total)} of RAM.",
        "# Routes are read from top to bottom; the first that matches wins; its `try` list is the fallback chain.",
        '# `headgate config check` says whether this page is right; `headgate route "…"` says where a prompt would go.',
    ]
    if draft.toys:
        lines.append(
            "# Its local models are TOYS that ship with Headgate: to try the road with, not to work with."
        )
    lines += [
        "",
        "[server]",
        beside('listen = "127.0.0.1:4141"', "loopback only; elsewhere callers need keys"),
    ]
    return "\n".join(lines)


def engine_table(engine: DraftEngine) -> str:
    """An engine at home."""
    lines = [f"[engines.{engine.name}]", f'kind = "{engine.kind}"']
    if engine.url:
        lines.append(f'url = "{engine.url}"')
    if engine.parallel:
        why = {
            "ollama": "OLLAMA_NUM_PARALLEL; more requests wait in our queue",
            "llamacpp": "answers at a time, for each model; more requests wait in our queue",
        }.get(engine.kind, "more requests wait in our queue")
        lines.append(beside(f"parallel = {engine.parallel}", why))
    if engine.kind == "llamacpp" and engine.url is None:
        lines.append(
            "# llama.cpp in a child process of the gate; its models are GGUF files, see docs/embedded.md"
        )
    return "\n".join(lines)


def fleet_table(draft: Draft, hardware: Hardware) -> str:
    """The memory that was planned with."""
    lines = ["[fleet]"]
    if draft.room.gpu:
        total = sum(gpu.total or 0 for gpu in hardware.gpus)
        lines += [
            f"# The models below were chosen for {memory_words(draft.room.gpu)} of graphics memory, which the gate finds by itself.",
            f"# vram_gb = {total / GIB:.1f}  # take the mark off, with less, to leave room for other programs",
        ]
    else:
        lines += [
            f"# The models below were chosen for {memory_words(draft.room.ram)} of RAM, which the gate finds by itself.",
            f"# ram_gb = {draft.room.ram / GIB:.1f}  # take the mark off, with less, to leave room for other programs",
        ]
    return "\n".join(lines)


def model_tables(draft: Draft) -> list[str]:
    """The models at home, after what holds for all of them."""
    space = memory_words(draft.room.gpu or draft.room.ram)
    lines = []
    if any(len(model.contexts) > 1 for model in draft.models):
        lines += [
            "# Several contexts of a model are its lanes. The gate counts a prompt's tokens and takes the shortest lane that it",
            "# fits into; another lane means loading the model anew, so there are few of them.",
        ]
        lines += ["# With the first one a model stays loaded beside the others."] if draft.fits else []
    if not draft.fits:
        lines += [
            f"# These models do not fit into {space} at the same time: the gate loads them as they are needed, which costs",
            "# seconds each time. `headgate models plan` shows the figures.",
        ]
    return [*(["\n".join(lines)] if lines else []), *(model_table(model) for model in draft.models)]


def model_table(model: DraftModel) -> str:
    """A model at home: what it is for, its contexts and why these."""
    lines = [f"[models.{model.name}]", f'engine = "{model.engine}"']
    lines.append(beside(f'id = "{model.id}"', for_what(model)))
    if model.kind == "embedding":
        lines.append('kind = "embedding"')
    if model.contexts:
        given = [f"{size}" for size in model.contexts]
        value = f"[{', '.join(given)}]" if len(given) > 1 else given[0]
        lines.append(beside(f"context = {value}", of_what(model)))
    if model.toy:
        lines.append('label = "toy"')
    if not model.there:
        lines.append(f"# not there yet: headgate models pull {model.name}")
    return "\n".join(lines)


def for_what(model: DraftModel) -> str:
    """Its roles, quantization and memory."""
    facts = [", ".join(model.roles) if model.roles else "as its server was started"]
    if model.quantization:
        facts.append(model.quantization)
    if model.need is not None:
        facts.append(f"takes {memory_words(model.need.total)}")
    return "; ".join(facts)


def of_what(model: DraftModel) -> str:
    """What the contexts are counted in, and how many requests have them at a time."""
    each = f" for each of {model.at_a_time} requests at a time" if model.at_a_time > 1 else ""
    return f"tokens{each}"


def cloud_tables(clouds: tuple[Cloud, ...]) -> list[str]:
    """The paid services that there is a key for."""
    tables = [cloud_table(cloud) for cloud in clouds]
    if len(clouds) > 1:
        others = ", ".join(f'"{cloud.name}"' for cloud in clouds[1:])
        tables.append(f"# {others}: only for who asks by name, until a route's `try` names it.")
    return tables


def cloud_table(cloud: Cloud) -> str:
    """One of them."""
    lines = [f"[engines.{cloud.engine}]", f'kind = "{cloud.kind}"']
    if cloud.url:
        lines.append(f'url = "{cloud.url}"')
    key = beside(f'key = "env:{cloud.variable}"', "a reference, never the key itself")
    lines += [
        key,
        "",
        f"[models.{cloud.name}]",
        f'engine = "{cloud.engine}"',
        f'id = "{cloud.id}"',
        *cloud.extra,
    ]
    return "\n".join(lines)


def no_cloud() -> str:
    """How to add a paid service, in comments."""
    cloud = CLOUDS[0]
    table = "\n".join(f"# {line}".rstrip() for line in cloud_table(cloud).splitlines())
    return (
        "# No key of a paid service was found, so nothing ever leaves this machine. To add one: set its variable, take the\n"
        f'# marks off, and end each `try` with "{cloud.name}".\n{table}'
    )


def route_tables(draft: Draft) -> list[str]:
    """The five routes."""
    long = (
        'after "labels": a long e-mail thread is still sorted at home'
        if draft.paid
        else "the longest context at home"
    )
    return [
        route(draft, "labels", 'tasks = ["classification", "sentiment"]', "classification"),
        f"[[routes]]\n{beside('name = ' + quoted('long'), long)}\ntokens_over = 4000\ntry = {listed(draft.longest)}",
        route(draft, "short summaries", 'tasks = ["summarization"]\ntokens_under = 2000', "general"),
        route(draft, "code", 'tasks = ["code"]', "code"),
        route(draft, "everything else", "", "general"),
    ]


def route(draft: Draft, name: str, conditions: str, role: Role) -> str:
    """A route."""
    lines = [
        "[[routes]]",
        f"name = {quoted(name)}",
        *conditions.splitlines(),
        f"try = {listed(draft.chain(role))}",
    ]
    return "\n".join(lines)


def rest() -> str:
    """Quality, limits, streams and report: as on the starter page."""
    before, mark, after = starter_text().partition("[quality]")
    del before
    return (mark + after).rstrip("\n")


def beside(line: str, comment: str) -> str:
    """A line and its comment."""
    return f"{line:<{BESIDE - 1}} # {comment}"


def quoted(text: str) -> str:
    """A text of TOML."""
    return f'"{text}"'


def listed(names: tuple[str, ...]) -> str:
    """A list of TOML."""
    return f"[{', '.join(map(quoted, names))}]"
