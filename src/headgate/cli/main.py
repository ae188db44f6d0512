"""The `headgate` command. Every subcommand lives in its own module, imported only when it is called.

stdout is data, stderr is talk. Exit: 0 ok, 1 failed, 2 usage, 3 config, 4 engine unreachable, 5 a warning fired.
"""

import sys
from importlib import import_module

import click

from headgate import __version__

COMMANDS = {
    "demo": "Everything at once, on a machine with nothing installed",
    "init": "Set this machine up: engines, models that fit, keys, headgate.toml",
    "up": "Open the gate",
    "down": "Close the gate that runs in the background",
    "doctor": "Check everything; every failed line says what repairs it",
    "ask": "One prompt through the router",
    "route": "Where would a prompt go, and why? Calls no model",
    "log": "The ledger, newest first; `log show ID` tells one request's story",
    "budgets": "What each budget has spent and left",
    "keys": "Make, list and revoke the keys of callers",
    "report": "The weekly routing report",
    "audit": "Was paying necessary, were local answers good? Requests that are looked at again",
    "replay": "What the recorded requests would have come to under other settings; calls no model",
    "tune": "Settings that would cost less and keep a quality floor; --apply writes them and watches them",
    "learn": "Learn from audits what models at home answer well; turn a router on",
    "import": "What would have been saved, from an export of past calls",
    "ledger": "The record itself: reprice it",
    "lab": "Measure routers on public benchmarks",
    "kb": "Knowledge bases: add folders, search, ask with citations",
    "models": "Plan, fetch, load and measure models",
    "engines": "List, test, start and stop engines",
    "agents": "Make, run, test and export subagents",
    "conformance": "Show a gateway everything that can go wrong with an engine, and judge its answers",
    "config": "Check and show the config",
}

MODULES = {"import": "import_"}
"""Of commands whose name is a word of Python."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"headgate.cli.{MODULES.get(cmd_name, cmd_name)}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the command that was probably meant."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean `headgate {close[0]}`?" if close else "headgate --help lists the commands"
            fail(f'there is no command "{args[0]}"', hint, 2)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="headgate")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Easy prompts at home, hard ones in the cloud, and a report that proves it."""
    if ctx.invoked_subcommand is None:
        from headgate.cli.status import show_status

        show_status()


def fail(message: str, hint: str = "", code: int = 1) -> None:
    """Print an error for a person and leave."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"\nhint: {hint}", err=True)
    sys.exit(code)


def wrong(error: click.UsageError) -> str:
    """What is wrong with a command line, in words for people."""
    said = error.format_message().rstrip(".")
    return said.replace("valid integer range", "whole number").replace("valid float range", "number")


def hint_for(error: click.UsageError) -> str:
    """How the command line is written."""
    path = error.ctx.command_path if error.ctx else "headgate"
    if (
        isinstance(error, click.NoSuchOption)
        and error.option_name in ("--port", "--host")
        and path.endswith(" up")
    ):
        return f"{path} --listen HOST:PORT"  # others have two options for it
    return f"{path} --help shows how"


def main(args: list[str] | None = None) -> None:
    """Run the command line."""
    try:
        code = command.main(args=args, standalone_mode=False)
        if isinstance(code, int):
            sys.exit(code)
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            click.echo(err=True)  # the line that it was stopped in has no end
        fail("stopped", code=130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        fail(wrong(error), hint_for(error), 2)
    except click.ClickException as error:
        fail(error.format_message(), code=error.exit_code)
    except Exception as error:
        from headgate.core.errors import HeadgateError

        if isinstance(error, HeadgateError):
            fail(error.message, error.hint, error.exit_code)
        if isinstance(error, OSError) and error.filename is not None:
            fail(f"{error.filename}: {error.strerror}", "name a place that you may write to")
        if isinstance(error, UnicodeEncodeError) and any(not word.isascii() for word in args or sys.argv):
            fail("an argument is not UTF-8 text", "save it as UTF-8, or look at the terminal's encoding", 2)
        raise
