"""[agents.NAME], or agents/NAME.toml → an `Agent`: what is wrong with it is said here, before anybody asks it.

It does not know how an agent is put on a request (`core.agents`), nor how examples and tests are read (`agent_shown`).
"""

from collections.abc import Mapping, Sequence

from headgate.config import agent_schemas
from headgate.config.agent_files import Origin
from headgate.config.agent_schemas import Schema
from headgate.config.agent_shown import Form, shown_from
from headgate.config.misfit import Misfit
from headgate.config.schema import AgentTable, BoundsTable, ToolTable
from headgate.config.values import meant, not_negative, positive, seconds, share
from headgate.core.subagent import Agent, AgentTool, Bounds
from headgate.core.templates import Unfit, fields_of
from headgate.core.types import Model


def agent_from(name: str, table: AgentTable, origin: Origin, models: Mapping[str, Model]) -> Agent:
    """The agent that a table describes.

    Raises:
        Misfit: something does not fit together.
    """
    place = ("agents", name)
    check_name(place, name)
    if not table.system.strip():
        raise Misfit((*place, "system"), f"the agent {name} is told nothing", "say in `system` what it does")
    form = form_of(place, table, origin)
    check_numbers(place, table, form)
    asked = form.asked
    return Agent(
        name=name,
        system=table.system,
        description=table.description,
        task=table.task,
        labels=form.labels,
        meanings=dict(table.labels) if isinstance(table.labels, dict) else {},
        schema=None if form.schema is None else agent_schemas.raw(form.schema),
        asked=None if asked is None else agent_schemas.raw(asked),
        label=table.label,
        confidence=table.confidence,
        template=table.template,
        examples=shown_from((*place, "examples"), table.examples, form, origin),
        tests=shown_from((*place, "tests"), table.tests, form, origin),
        chain=chain_from(place, table, models),
        checks=None if table.checks is None else tuple(table.checks),
        threshold=table.threshold,
        bar=table.bar,
        temperature=table.temperature,
        top_p=table.top_p,
        seed=table.seed,
        max_tokens=table.max_tokens,
        local_only=table.local_only,
        long=table.long,
        tools=tuple(tool_from((*place, "tools"), tool, origin) for tool in table.tools),
        bounds=bounds_from((*place, "limits"), table.limits),
        builtin=origin.builtin,
        source="" if origin.file is None else str(origin.file),
    )


def check_name(place: Sequence[str | int], name: str) -> None:
    """A name stands after "agent:" and in addresses."""
    if not name.strip() or not name.isprintable() or any(mark in name for mark in ":@/"):
        raise Misfit(
            place,
            f'"{name}" cannot name an agent',
            "use letters, digits and dashes: a colon, an @ and a / mean something",
        )


# ── The form of its answers ──────────────────────────────────────────────────────────────────────────────────────────


def form_of(place: tuple[str, ...], table: AgentTable, origin: Origin) -> Form:
    """The labels and the schema, which have to agree; and the template."""
    wanted = fields_of(table.template)
    if isinstance(wanted, Unfit):
        raise Misfit((*place, "input"), f"the template cannot be used: {wanted.problem}", wanted.hint)
    labels = tuple(table.labels)
    check_apart((*place, "labels"), labels)
    if len(labels) == 1 or not all(label.strip() for label in labels):
        raise Misfit(
            (*place, "labels"),
            "an agent chooses from at least two labels, each with a name",
            "add the other labels",
        )
    if table.schema is None:
        for field in ("label", "confidence"):
            if getattr(table, field):
                raise Misfit(
                    (*place, field),
                    f"{field} names a field, but there is no schema",
                    "add a schema, or leave it out",
                )
        return Form(template=table.template, labels=labels)
    schema = agent_schemas.schema_from(
        (*place, "schema"), table.schema, origin.folders, trusted=origin.builtin
    )
    if not table.label and labels:
        raise Misfit(
            (*place, "labels"),
            "there are labels and a schema, but not which field of it holds the label",
            'write label = "category", with the name of the field',
        )
    if table.label:
        labels = labels_in(place, field_of(place, "label", table.label, schema), table.label, labels)
    asked = schema
    if table.confidence:
        check_confidence(place, table, schema)
        asked = agent_schemas.without(schema, table.confidence)
    return Form(
        template=table.template,
        labels=labels,
        label=table.label,
        schema=schema,
        asked=asked,
        trusted=origin.builtin,
    )


def check_apart(place: tuple[str, ...], labels: Sequence[str]) -> None:
    """Labels are told apart without regard to case: a model writes them as it likes."""
    if len({label.casefold() for label in labels}) < len(labels):
        raise Misfit(
            place, "a label stands there twice", "write each label once; small or capital is the same"
        )


def field_of(place: tuple[str, ...], key: str, field: str, schema: Schema) -> Schema:
    """The schema of one field."""
    fields = schema.get("properties")
    known = fields if isinstance(fields, dict) else {}
    if not isinstance(known.get(field), dict):
        raise Misfit(
            (*place, key),
            f'the schema has no field "{field}"',
            meant(field, known) or (f"its fields are: {', '.join(known)}" if known else "give it properties"),
        )
    found: Schema = known[field]
    return found


def labels_in(place: tuple[str, ...], field: Schema, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """All labels, in the order of the schema."""
    offered = field.get("enum")
    if not isinstance(offered, list) or not all(isinstance(one, str) for one in offered) or len(offered) < 2:
        raise Misfit(
            (*place, "label"),
            f'the field "{name}" of the schema lists no labels',
            f"give it enum = {list(labels) or ['…']}",
        )
    check_apart((*place, "label"), offered)
    for label in labels:
        if label not in offered:
            raise Misfit(
                (*place, "labels"),
                f'"{label}" is not in the enum of "{name}" in the schema',
                meant(label, offered) or f"it has: {', '.join(offered)}",
            )
    return tuple(offered)


def check_confidence(place: tuple[str, ...], table: AgentTable, schema: Schema) -> None:
    """The gate writes a number there, or null where the engine does not tell."""
    here = (*place, "confidence")
    field = field_of(place, "confidence", table.confidence, schema)
    if not table.label:
        raise Misfit(here, "it is the probability of the label, but no field holds one", 'write label = "…"')
    if table.confidence == table.label:
        raise Misfit(here, f'"{table.label}" holds the label already', "name another field")
    kinds = field.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "number" not in kinds and kinds != [None]:
        raise Misfit(
            here, f'the field "{table.confidence}" is no number', 'give it type = ["number", "null"]'
        )
    if table.confidence in schema.get("required", ()) and kinds != [None] and "null" not in kinds:
        raise Misfit(
            here,
            f'the field "{table.confidence}" must allow null, since not every engine tells how sure its model is',
            'give it type = ["number", "null"], or do not require it',
        )


# ── Who answers, and within which limits ─────────────────────────────────────────────────────────────────────────────


def check_numbers(place: tuple[str, ...], table: AgentTable, form: Form) -> None:
    """Numbers within their bounds."""
    if table.max_tokens is not None:
        positive((*place, "max_tokens"), table.max_tokens)
    not_negative((*place, "temperature"), table.temperature)
    for key in ("threshold", "bar", "top_p"):
        number = getattr(table, key)
        if number is not None:
            share((*place, key), number)
    if table.threshold is not None and not form.labels:
        raise Misfit(
            (*place, "threshold"),
            "a threshold is a label's, and there are no labels",
            "name labels, or leave it out",
        )


def chain_from(place: tuple[str, ...], table: AgentTable, models: Mapping[str, Model]) -> tuple[str, ...]:
    """The models that it tries, which exist, answer, and may be asked."""
    here = (*place, "try")
    for name in table.chain:
        model = models.get(name)
        if model is None:
            raise Misfit(
                here,
                f'the agent tries "{name}", which is not a model of this config',
                meant(name, models) or f"the models are: {', '.join(models)}",
            )
        if model.kind == "embedding":
            raise Misfit(here, f'"{name}" makes embeddings, and does not answer', "name a model that answers")
        if table.local_only and not model.local:
            raise Misfit(here, f'the agent is local_only, but tries "{name}"', "it would always be skipped")
    if len(set(table.chain)) < len(table.chain):
        raise Misfit(here, "a model stands there twice", "a model is tried once per request")
    return tuple(table.chain)


def tool_from(place: tuple[str, ...], tool: str | ToolTable, origin: Origin) -> AgentTool:
    """A tool, by its one name."""
    if isinstance(tool, ToolTable):
        if bool(tool.command) == bool(tool.url):
            raise Misfit(
                place,
                "an MCP server has a command or a url",
                'write { command = ["uvx", "server"] } or { url = "http://…" }',
            )
        return AgentTool(command=tuple(tool.command), url=tool.url)
    where, colon, function = tool.rpartition(":")
    if not colon or not where or not function.isidentifier():
        raise Misfit(
            place,
            f'"{tool}" names no function',
            'write "./orders.py:find_order" or "package.module:function"',
        )
    if where.endswith(".py"):
        agent_schemas.find_file(place, where, origin.folders)
    return AgentTool(function=tool)


def bounds_from(place: tuple[str, ...], table: BoundsTable) -> Bounds:
    """What one run may use up."""
    return Bounds(
        steps=positive((*place, "steps"), table.steps),
        within=seconds((*place, "within"), table.within),
        spend=not_negative((*place, "spend"), table.spend),
    )
