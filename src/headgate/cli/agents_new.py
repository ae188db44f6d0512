"""`headgate agents new`: write a subagent's file, by asking on a terminal or from options, and prove it by loading it.

The file lies in `agents` beside the config. A file that does not load is not left behind. What the page says is `agents_page`'s
business.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.cli.agents_page import Draft
    from headgate.config.compile import Config

MOST_ASKED = 5
"""Examples that are asked for; more are easier written into the file."""


@click.command("new", short_help="Make an agent, by asking or from options")
@click.argument("name", required=False)
@click.option(
    "--from",
    "origin",
    metavar="NAME",
    help="Copy this agent; without NAME the copy wins over a built-in one.",
)
@click.option("--system", metavar="TEXT", help="What it is told.")
@click.option("--description", metavar="TEXT", help="What it is for, in a line, for people.")
@click.option("--task", metavar="TASK", help="The kind of work, which decides the route.")
@click.option("--labels", metavar="A,B,C", help="It answers with exactly one of these.")
@click.option(
    "--schema",
    metavar="FILE",
    help="It answers with JSON that fits this JSON Schema, a file or module:Class.",
)
@click.option("--template", metavar="TEXT", help="What it is asked, with {fields} of the input.")
@click.option("--models", metavar="A,B", help="The models that are tried, in order, in place of the route's.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@with_config
@with_json
def command(
    config_file: str | None,
    name: str | None,
    origin: str | None,
    labels: str | None,
    models: str | None,
    *,
    force: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Make the subagent NAME: write agents/NAME.toml beside the config, with a comment on each thing, and prove that it loads.

    On a terminal it asks what the agent does; with --system or --from it asks nothing.
    """
    from headgate.cli.agents_known import find_models
    from headgate.cli.agents_page import copied, written
    from headgate.core.errors import UsageError

    config = load(config_file, prices=False)
    if config.source is None:
        raise UsageError(
            "an agent lies beside a headgate.toml, and there is none",
            "headgate init writes one; or name one with --config",
        )
    chain = words(models)
    find_models(config, chain)
    if origin is not None:
        if labels or said["schema"] or said["template"]:
            raise UsageError(
                "a copy has the form of what it copies", "leave out --labels, --schema and --template"
            )
        name = name or origin
        text = copied(
            config, origin, name, chain, {key: said[key] for key in ("system", "description", "task")}
        )
    elif said["system"]:
        if name is None:
            raise UsageError("the agent has no name", "headgate agents new NAME --system …")
        text = written(draft_from(name, words(labels), chain, config.source.parent / "agents", said))
    elif sys.stdin.isatty() and sys.stderr.isatty():
        text, name = asked(config, name)
    else:
        raise UsageError(
            "there is nobody to ask what the agent does",
            f'headgate agents new {name or "NAME"} --system "…" --labels a,b, or --from triage',
        )
    path = put_file(config, name, text, force=force)
    if as_json:
        put_json({"agent": name, "file": str(path)})
        return
    put(str(path))
    say(f'{name} is ready: headgate agents run {name} -i "…"')
    say(f"with 20-50 tests it is known how good it is: headgate agents test {name} --add FILE")


def words(listed: str | None) -> list[str]:
    """The words of a list "a,b,c"."""
    return [word.strip() for word in (listed or "").split(",") if word.strip()]


def draft_from(name: str, labels: list[str], chain: list[str], folder: Path, said: dict[str, Any]) -> "Draft":
    """What the options say.

    Raises:
        UsageError: there are labels and a schema.
    """
    from headgate.cli.agents_page import Draft
    from headgate.core.errors import UsageError

    schema = said["schema"]
    if labels and schema:
        raise UsageError(
            "the agent has labels or a schema",
            'a schema holds labels in an enum; name its field in the file: label = "…"',
        )
    return Draft(
        name=name,
        system=said["system"],
        description=said["description"] or "",
        task=said["task"] or ("classification" if labels else "extraction" if schema else ""),
        template=said["template"] or "",
        labels=dict.fromkeys(labels, ""),
        schema=schema_path(schema, folder) if schema else None,
        chain=tuple(chain),
    )


def schema_path(schema: str, folder: Path) -> str:
    """Where a schema is, as the agent's file names it.

    Raises:
        UsageError: there is no such file.
    """
    from os.path import relpath

    from headgate.core.errors import UsageError

    if ":" in schema and not schema.endswith(".json"):
        return schema
    path = Path(schema).expanduser()
    if not path.is_file():
        raise UsageError(
            f"there is no file {schema}", "--schema takes a JSON Schema in a file, or module:Class"
        )
    return Path(relpath(path.resolve(), folder.resolve())).as_posix()


def asked(config: "Config", name: str | None) -> tuple[str, str]:
    """The page, and the agent's name, by asking."""
    from headgate.cli.agents_page import Draft, written

    def ask(question: str, **more: Any) -> str:
        found: str = click.prompt(question, err=True, **more)
        return found.strip()

    name = name or ask("What is it called, in a word")
    system = ask("What does it do? Say it as to a new colleague")
    form = ask(
        "What does it answer: one of some labels, fields, or a text",
        type=click.Choice(["labels", "fields", "text"]),
        default="labels",
    )
    labels: dict[str, str] = {}
    schema: dict[str, Any] | None = None
    if form == "labels":
        for label in words(ask("Which labels? With commas between")):
            labels[label] = ask(f"What is {label} for? Enter leaves it out", default="", show_default=False)
    elif form == "fields":
        fields = words(ask("Which fields? With commas between"))
        schema = {
            "type": "object",
            "required": fields,
            "additionalProperties": False,
            "properties": {field: {"type": ["string", "null"]} for field in fields},
        }
    examples: list[tuple[str, Any]] = []
    while len(examples) < MOST_ASKED:
        given = ask("An input as it comes, as an example; Enter for none", default="", show_default=False)
        if not given:
            break
        if labels:
            examples.append((given, ask("Its label", type=click.Choice(list(labels)))))
        elif schema is not None:
            said = {
                field: ask(f"Its {field}", default="", show_default=False) for field in schema["required"]
            }
            examples.append((given, {field: value or None for field, value in said.items()}))
        else:
            examples.append((given, ask("Its right answer")))
    chat = [model.name for model in config.policy.named.values() if model.kind == "chat"]
    chain = words(
        ask(
            f"Which models, in order, of {', '.join(chat)}? Enter leaves it to the routes",
            default="",
            show_default=False,
        )
    )
    from headgate.cli.agents_known import find_models

    find_models(config, chain)
    draft = Draft(
        name=name,
        system=system,
        task="classification" if labels else "extraction" if schema else "",
        labels=labels,
        schema=schema,
        examples=tuple(examples),
        chain=tuple(chain),
    )
    return written(draft), name


def put_file(config: "Config", name: str, text: str, *, force: bool) -> Path:
    """Write the file, and load the config with it.

    Raises:
        UsageError: there is one already, or its name is none.
        ConfigError: it does not load; then it is not there, or as it was.
    """
    import re

    from headgate.cli.agents_tests import write_or_restore
    from headgate.core.errors import ConfigError, UsageError

    assert config.source is not None, "looked at before"
    if re.fullmatch(r"\w[\w.-]*", name) is None:
        raise UsageError(f'"{name}" cannot name an agent', "use letters, digits and dashes")
    path = config.source.parent / "agents" / f"{name}.toml"
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already", f"headgate agents show {name} shows it; --force writes over it"
        )
    path.parent.mkdir(exist_ok=True)
    try:
        write_or_restore({path: text}, config)
    except ConfigError as error:
        raise ConfigError(f"{error.message}; nothing was written", error.hint) from error
    return path
