"""The page of a new subagent: a draft, or a copy of one that is there, as commented TOML.

It does not know where the page is put, or who said what stands in it (`agents_new`).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from headgate.config.compile import Config


class Draft(Struct, frozen=True, kw_only=True):
    """An agent before it is written."""

    name: str
    system: str
    description: str = ""
    task: str = ""
    template: str = ""
    labels: Mapping[str, str] = {}
    """Each with what it is for, "" where that is not said."""
    schema: dict[str, Any] | str | None = None
    examples: tuple[tuple[str, Any], ...] = ()
    chain: tuple[str, ...] = ()


def words(listed: str | None) -> list[str]:
    """The words of a list "a,b,c"."""
    return [word.strip() for word in (listed or "").split(",") if word.strip()]


def is_name(word: str) -> bool:
    """Whether an agent may be called so: it is a file's name too."""
    return re.fullmatch(r"\w[\w.-]*", word) is not None


def pages(draft: Draft) -> dict[str, str]:
    """The files of a draft, the agent's own first. Examples with nothing in a field need one of theirs: TOML has no null."""
    files = {f"{draft.name}.toml": written(draft)}
    if has_nulls(draft):
        lines = [
            msgspec.json.encode({"input": given, "output": output}).decode()
            for given, output in draft.examples
        ]
        files[f"{draft.name}.examples.jsonl"] = "\n".join(lines) + "\n"
    return files


def has_nulls(draft: Draft) -> bool:
    """Whether an example says that there is nothing in a field."""
    return any(isinstance(output, Mapping) and None in output.values() for _, output in draft.examples)


def written(draft: Draft) -> str:
    """The draft as a page, with a comment on what stands in it and on what could."""
    meanings = any(draft.labels.values())
    lines = [
        f'# The subagent {draft.name}, asked for as "agent:{draft.name}". docs/agents.md tells every key.',
        f"{'' if draft.description else '# '}description = {toml(draft.description or 'What it is for, in a line')}",
        "",
        "# The kind of work, which decides the route. Left out, it is guessed from each input.",
        f"{'' if draft.task else '# '}task = {toml(draft.task or 'classification')}",
        "",
        "# What it is told. Its labels and the form of its answers are added to it by themselves.",
        f"system = {toml(draft.system)}",
        "",
        "# What it is asked, with {fields} of the input; a text alone is {input}.",
        f"{'' if draft.template else '# '}input = {toml(draft.template or '{input}')}",
        "",
        "# The models that are tried, in order. Left out, those of its route.",
        f"{'' if draft.chain else '# '}try = {toml(list(draft.chain) or ['small', 'large'])}",
        "",
        "# The share of its tests that has to be right before it works through a batch.",
        "# bar = 0.9",
        f"{'' if draft.labels or draft.schema else '# '}temperature = 0",
    ]
    if draft.labels:
        lines += [
            "",
            "# The least probability of a label: below it, the next model is asked.",
            "threshold = 0.6",
        ]
    if draft.labels and not meanings:
        lines += ["", "# It answers with exactly one of these.", f"labels = {toml(list(draft.labels))}"]
    if has_nulls(draft):
        lines += [
            "",
            "# Inputs with their right outputs, which every model is shown.",
            f"examples = {toml(f'{draft.name}.examples.jsonl')}",
        ]
    if isinstance(draft.schema, str):
        lines += ["", "# Its answers fit this JSON Schema.", f"schema = {toml(draft.schema)}"]
    if meanings:
        lines += ["", "# It answers with exactly one of these, each with what it is for.", "[labels]"]
        lines += [f"{key(label)} = {toml(meaning)}" for label, meaning in draft.labels.items()]
    if isinstance(draft.schema, dict):
        lines += ["", "# Its answers fit this JSON Schema; a description says what belongs into a field."]
        lines += table(("schema",), draft.schema)
    for given, output in () if has_nulls(draft) else draft.examples:
        lines += ["", "[[examples]]", f"input = {toml(given)}", f"output = {inline(output)}"]
    return "\n".join(lines) + "\n" + about_tests(draft.name)


def about_tests(name: str) -> str:
    """The end of a page."""
    return (
        "\n# Tests tell how good it is: 20 to 50 inputs, each with the output that is right.\n"
        f"# headgate agents test {name} --add FILE puts them where they belong, from JSON Lines or CSV.\n"
    )


def copied(
    config: "Config", origin: str, name: str, chain: Sequence[str], changes: Mapping[str, str | None]
) -> dict[str, str]:
    """The file of an agent that is there, with changes.

    Raises:
        UsageError: there is no such agent, or it stands in the config itself.
    """
    import tomlkit

    from headgate.cli.agents_known import find_agent, in_config
    from headgate.config.agent_files import read_text
    from headgate.core.errors import UsageError

    agent = find_agent(config, origin)
    if agent.builtin:
        from importlib import resources

        text = (
            resources.files("headgate.config")
            .joinpath("builtin", f"{origin}.toml")
            .read_text(encoding="utf-8")
            .partition("\n[[tests]]")[0]  # what it is tested on shall be the user's own
        )
    elif in_config(config, agent):
        raise UsageError(f"{origin} stands in {config.source} itself", "copy its table into a file by hand")
    else:
        text = read_text(Path(agent.source))
    document: Any = tomlkit.parse(text)
    for word, value in changes.items():
        if value is not None:
            document[word] = value
    if chain:
        document["try"] = list(chain)
    head = f'# The subagent {name}, asked for as "agent:{name}": a copy of {origin}. docs/agents.md tells every key.\n'
    end = "" if agent.tests and not agent.builtin else about_tests(name)
    return {f"{name}.toml": head + tomlkit.dumps(document) + end}


def toml(value: Any) -> str:
    """A value as TOML; a text of several lines stays one."""
    import tomlkit

    if isinstance(value, str) and "\n" in value:
        return str(tomlkit.string(value, multiline=True).as_string())
    return str(tomlkit.item(value).as_string())


def key(word: str) -> str:
    """A word as a key."""
    import tomlkit

    return tomlkit.key(word).as_string()


def inline(value: Any) -> str:
    """A value on one line."""
    if not isinstance(value, Mapping):
        return toml(value)
    return (
        "{ "
        + ", ".join(f"{key(name)} = {inline(inner)}" for name, inner in value.items() if inner is not None)
        + " }"
    )


def table(place: tuple[str, ...], value: Mapping[str, Any]) -> list[str]:
    """A table, and those within it."""
    lines = [f"[{'.'.join(map(key, place))}]"]
    lines += [f"{key(name)} = {inline(inner)}" for name, inner in value.items() if name != "properties"]
    if "properties" in value:
        lines += ["", f"[{'.'.join(map(key, (*place, 'properties')))}]"]
        lines += [f"{key(name)} = {inline(inner)}" for name, inner in value["properties"].items()]
    return lines
