"""What every command shares: `--json`, `--config`, and how values become lines."""

import sys
from collections.abc import Callable
from math import isnan
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from headgate.config.compile import Config
    from headgate.config.prices import PriceFinder

WIDE = 240
"""Columns off a terminal, where nothing should be cut."""
FOLDED = 20
"""Columns that a column keeps which may take more lines than one."""

NO_PAGE = "note: there is no headgate.toml here, so the starter page serves; `headgate init` writes one"
"""Said once per command, so whoever passes on what a child said can leave it out."""

COUNT = click.IntRange(min=1, max=2**31 - 1)
"""How many of something."""
DAYS_BACK = click.IntRange(min=1, max=36_500)
"""How many days one may look back: a century."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A number within bounds. `nan`, which is within any, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.FloatRange`."""
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


MOMENT = Number(min=0, max=253_402_300_799)
"""A Unix time, up to the year 9999."""


def with_config(function: Function) -> Function:
    """Add `--config FILE`, given to the function as `config_file`."""
    option = click.option("--config", "config_file", metavar="FILE", help="Use this headgate.toml.")
    return option(function)


def with_json(function: Function) -> Function:
    """Add `--json`, given to the function as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def load(config_file: str | None, *, prices: bool = True, finder: "PriceFinder | None" = None) -> "Config":
    """The config, with a word on stderr when there is no file and the starter page serves.

    Args:
        config_file: what the user named.
        prices: look up list prices; False is quicker where no money is shown.
        finder: looks them up, in place of a list in this process.
    """
    from headgate.config.load import load_config
    from headgate.config.prices import find_price

    config = load_config(config_file, (finder or find_price) if prices else lambda *_: None)
    if config.source is None:
        say(NO_PAGE)
    return config


def one_of(**given: bool) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: more than one of them was given; their names are the options' own.
    """
    from headgate.core.errors import UsageError

    names = [f"--{name}" for name, is_given in given.items() if is_given]
    if len(names) > 1:
        raise UsageError(
            f"{' and '.join(names)} do not go together", f"first one, then the other: {names[0]}"
        )


def in_order(since: float | None, until: float | None) -> None:
    """Refuse a time that ends before it begins.

    Raises:
        UsageError: it does.
    """
    from headgate.core.errors import UsageError

    if since is not None and until is not None and since >= until:
        raise UsageError(
            "--until is not after --since", "--since is the beginning, --until the end, which is left out"
        )


def say(text: str) -> None:
    """Talk to the person, on stderr."""
    click.echo(text, err=True)


def put(text: str) -> None:
    """Print data, on stdout."""
    click.echo(text)


def put_json(value: Any) -> None:
    """Print a value as JSON, indented for people on a terminal."""
    import msgspec

    data = msgspec.json.encode(value, enc_hook=str)  # paths
    click.echo((msgspec.json.format(data, indent=2) if sys.stdout.isatty() else data).decode())


def console(*, stderr: bool = False) -> "Console":
    """A rich console: colours and bars on a terminal, plain text elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, markup=False, width=None if stream.isatty() else WIDE)


def table(*columns: str, right: tuple[str, ...] = ()) -> "Table":
    """A plain table; the columns named in `right` are aligned so."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def put_table(made: "Table", *, talk: bool = False) -> None:
    """Print a table, on stderr if it is talk. A terminal too narrow for it gets each row as lines: half a figure is none."""
    from rich.measure import Measurement

    screen = console(stderr=talk)
    needed = Measurement.get(screen, screen.options.update_width(10 * WIDE), made).maximum
    folding = [column for column in made.columns if not column.no_wrap]
    spare = sum(max(0, *(len(str(cell)) - FOLDED for cell in column.cells)) for column in folding)
    if not screen.is_terminal:
        screen.width = max(screen.width, needed)
    elif needed - spare > screen.width:
        made.padding = (0, 1, 0, 0)
        needed -= len(made.columns) - 1
    if needed - spare <= screen.width:
        screen.print(made)
        return
    names = [str(column.header).strip() for column in made.columns]
    label = max(map(len, names))
    rows = zip(*(column.cells for column in made.columns), strict=True)
    blocks = [
        "\n".join(
            f"{name:<{label}}  {cell}" for name, cell in zip(names, row, strict=True) if str(cell).strip()
        )
        for row in rows
    ]
    (say if talk else put)("\n\n".join(blocks))
