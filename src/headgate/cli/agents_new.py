"""`headgate agents new`: write a subagent's file, by asking on a terminal or from options, and prove it by loading it.

The file lies in `agents` beside the config. A file that does not load is not left behind. What the page says is `agents_page`'s
business.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.agents_page import Draft, is_name, words
from headgate.cli.common import load, put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config


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
    from headgate.cli.agents_ask import ask_all
    from headgate.cli.agents_known import find_models
    from headgate.cli.agents_page import copied, pages
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
        files = copied(
            config, origin, name, chain, {key: said[key] for key in ("system", "description", "task")}
        )
    elif said["system"]:
        if name is None:
            raise UsageError("the agent has no name", "headgate agents new NAME --system …")
        files = pages(draft_from(name, words(labels), chain, config.source.parent / "agents", said))
    elif sys.stdin.isatty() and sys.stderr.isatty():
        if name is not None:
            check_free(config, name, force=force)
        draft = ask_all(config, name, lambda said: check_free(config, said, force=force))
        name, files = draft.name, pages(draft)
    else:
        raise UsageError(
            "there is nobody to ask what the agent does",
            f'headgate agents new {name or "NAME"} --system "…" --labels a,b, or --from triage',
        )
    path = put_files(config, name, files, force=force)
    if as_json:
        put_json({"agent": name, "file": str(path)})
        return
    put(str(path))
    say(f'{name} is ready: headgate agents run {name} -i "…"')
    say(f"with 20-50 tests it is known how good it is: headgate agents test {name} --add FILE")


def draft_from(name: str, labels: list[str], chain: list[str], folder: Path, said: dict[str, Any]) -> Draft:
    """What the options say.

    Raises:
        UsageError: there are labels and a schema.
    """
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


def check_free(config: "Config", name: str, *, force: bool) -> None:
    """Nothing of that name would be lost, or stand in the way.

    Raises:
        UsageError: there is an agent of that name that is not built in.
    """
    from headgate.core.errors import UsageError

    agent = config.policy.agents.get(name)
    if agent is not None and not agent.builtin and not force:
        raise UsageError(
            f"{name} is there already, in {agent.source}",
            f"headgate agents show {name} shows it; take another name",
        )


def put_files(config: "Config", name: str, files: dict[str, str], *, force: bool) -> Path:
    """Write an agent's files, and load the config with them; where the first one lies.

    Raises:
        UsageError: there is one already, or its name is none.
        ConfigError: it does not load; then it is not there, or as it was.
    """
    from headgate.cli.agents_tests import write_or_restore
    from headgate.core.errors import ConfigError, UsageError

    assert config.source is not None, "looked at before"
    if not is_name(name):
        raise UsageError(f'"{name}" cannot name an agent', "use letters, digits and dashes")
    folder = config.source.parent / "agents"
    for file in files:
        if (folder / file).exists() and not force:
            raise UsageError(
                f"{folder / file} is there already",
                f"headgate agents show {name} shows it; --force writes over it",
            )
    folder.mkdir(exist_ok=True)
    try:
        write_or_restore({folder / file: text for file, text in files.items()}, config)
    except ConfigError as error:
        raise ConfigError(f"{error.message}; nothing was written", error.hint) from error
    return folder / next(iter(files))
