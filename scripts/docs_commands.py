#!/usr/bin/env python3
"""docs/commands.md, written from the commands themselves, so that the page and `--help` cannot disagree.

python scripts/docs_commands.py            print the page
python scripts/docs_commands.py --write    write it
"""

import argparse
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from headgate.cli.main import COMMANDS, command

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"

EVERYWHERE = {"as_json", "config_file", "help"}
"""Options that every command has: told once, at the top."""

OPENING = """\
# Commands

<!-- Written by scripts/docs_commands.py from the commands' own help; do not edit. -->

```console
$ headgate                  # how is the gate, and what is the next useful command?
```

Every command takes `--json` (data for programs) and `--config FILE`. stdout is data, stderr is talk. Off a terminal there is
no colour and no question. Errors are `error: …`, an empty line, `hint: …`.

| exit | means |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line is wrong |
| 3 | the config is wrong; the error names file, line and word |
| 4 | an engine cannot be reached, or no model gave an answer |
| 5 | the report has a warning |
| 130 | stopped by Ctrl-C |

Without `--config`, the config is `$HEADGATE_CONFIG`, else `headgate.toml` in this folder, else the one in your configuration
folder (`headgate config path` says which), else the built-in starter page. Data (ledger, run file, log) lie in your data
folder, or in `$HEADGATE_DATA`.
"""


def page() -> str:
    """The whole page."""
    parts = [OPENING]
    for name, short in COMMANDS.items():
        found = command.get_command(click.Context(command), name)
        assert found is not None
        parts.append("\n".join(section(name, found, short)))
    return "\n".join(parts)


def section(name: str, found: click.Command, short: str) -> Iterator[str]:
    """One command and its subcommands."""
    yield f"## headgate {name}\n"
    if isinstance(found, click.Group):
        yield f"{short}.\n" if not found.invoke_without_command else f"{text_of(found)}\n"
        if found.invoke_without_command:
            yield from usage(f"headgate {name}", found)
        for sub in found.commands.values():
            yield f"### headgate {name} {sub.name}\n"
            yield f"{text_of(sub)}\n"
            yield from usage(f"headgate {name} {sub.name}", sub)
    else:
        yield f"{text_of(found)}\n"
        yield from usage(f"headgate {name}", found)


def text_of(found: click.Command) -> str:
    """A command's help, paragraphs kept."""
    return cleandoc(found.help or "")


def usage(name: str, found: click.Command) -> Iterator[str]:
    """How it is called, with its own options. Written out here, because click's own wording changes with its versions."""
    arguments = [one for one in found.params if isinstance(one, click.Argument)]
    options = [one for one in found.params if isinstance(one, click.Option) and one.name not in EVERYWHERE]
    words = [
        f"{one.human_readable_name}" if one.required else f"[{one.human_readable_name}]" for one in arguments
    ]
    yield f"```text\n{' '.join([name, '[OPTIONS]', *words])}\n```\n"
    if options:
        yield "| option | |\n|---|---|"
        for option in options:
            yield f"| `{', '.join(option.opts)}{value_of(option)}` | {meaning_of(option)} |"
        yield ""


def value_of(option: click.Option) -> str:
    """What is written behind an option: " DIR", or "" for a flag."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "/".join(map(str, option.type.choices))
    return " " + (option.metavar or ("N" if isinstance(option.type, click.types.IntParamType) else "TEXT"))


def meaning_of(option: click.Option) -> str:
    """Its help, with the default where one is set."""
    default = option.default
    told = isinstance(default, int | str) and not option.is_flag and default not in ("", ())
    return (option.help or "") + (f" Default: {default}." if told else "")


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description="Write docs/commands.md from the commands.")
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()
