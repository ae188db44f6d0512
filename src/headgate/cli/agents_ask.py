"""What `headgate agents new` asks a person, and the draft that comes of it.

An answer that cannot be is asked for again, so that no answer before it is lost. It does not know what the page looks like.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.agents_page import Draft, is_name, words

if TYPE_CHECKING:
    from headgate.config.compile import Config

MOST_EXAMPLES = 5
"""That are asked for; more are easier written into the file."""

Check = Callable[[str], None]
"""Raises `click.BadParameter` for an answer that cannot be."""


def ask_all(config: "Config", name: str | None, is_free: Check) -> Draft:
    """The draft of an agent, by asking.

    Args:
        config: whose models there are.
        name: the agent's, if it was given already.
        is_free: raises `UsageError` for a name that is taken.
    """
    name = name or ask("What is it called, in a word", lambda said: check_name(said, is_free))
    system = ask("What does it do? Say it as to a new colleague")
    form = ask(
        "What does it answer: one of some labels, fields, or a text",
        type=click.Choice(["labels", "fields", "text"]),
        default="labels",
    )
    labels: dict[str, str] = {}
    fields: list[str] = []
    if form == "labels":
        for label in words(ask("Which labels? With commas between", check_labels)):
            labels[label] = ask_maybe(f"What is {label} for? Enter leaves it out")
    elif form == "fields":
        fields = list(dict.fromkeys(words(ask("Which fields? With commas between"))))
    examples = ask_examples(labels, fields)
    chat = [model.name for model in config.policy.named.values() if model.kind == "chat"]
    question = f"Which models, in order, of {', '.join(chat)}? Enter leaves it to the routes"
    chain = words(ask_maybe(question, lambda said: check_models(config, said)))
    return Draft(
        name=name,
        system=system,
        task="classification" if labels else "extraction" if fields else "",
        labels=labels,
        schema=schema_of(fields) if fields else None,
        examples=tuple(examples),
        chain=tuple(chain),
    )


def ask_examples(labels: dict[str, str], fields: list[str]) -> list[tuple[str, Any]]:
    """Inputs with their right outputs, until there are no more."""
    examples: list[tuple[str, Any]] = []
    while len(examples) < MOST_EXAMPLES:
        given = ask_maybe("An input as it comes, as an example; Enter for none")
        if not given:
            break
        if labels:
            examples.append((given, ask("Its label", type=click.Choice(list(labels)))))
        elif fields:
            said = {field: ask_maybe(f"Its {field}; Enter if it does not say") or None for field in fields}
            examples.append((given, said))
        else:
            examples.append((given, ask("Its right answer")))
    return examples


def schema_of(fields: list[str]) -> dict[str, Any]:
    """A JSON Schema of texts, each of which may be missing."""
    return {
        "type": "object",
        "required": fields,
        "additionalProperties": False,
        "properties": {field: {"type": ["string", "null"]} for field in fields},
    }


def ask(question: str, check: Check | None = None, **more: Any) -> str:
    """An answer that is not empty."""

    def checked(said: str) -> str:
        if check is not None:
            check(said.strip())
        return said.strip()

    if "type" not in more:
        more["value_proc"] = checked
    found: str = click.prompt(question, err=True, **more)
    return found


def ask_maybe(question: str, check: Check | None = None) -> str:
    """An answer that may be empty."""
    return ask(question, check, default="", show_default=False)


def check_name(said: str, is_free: Check) -> None:
    """It can be a file's name, and stand behind "agent:", and no agent is lost by it."""
    from headgate.core.errors import UsageError

    if not is_name(said):
        raise click.BadParameter("use letters, digits and dashes")
    try:
        is_free(said)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from error


def check_labels(said: str) -> None:
    """There is something to choose from."""
    found = words(said)
    if len(set(found)) < 2 or len(set(found)) < len(found):
        raise click.BadParameter("name two labels or more, each once")


def check_models(config: "Config", said: str) -> None:
    """All of them are there, and answer."""
    from headgate.cli.agents_known import find_models
    from headgate.core.errors import UsageError

    try:
        find_models(config, words(said))
    except UsageError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from error
