"""The tables of the page about setting up are what the code does."""

import re

from docs_pages import DOCS, prose, rows, section

from headgate.cli.init import command
from headgate.cli.init_look import STACKS
from headgate.config.clouds import CLOUDS
from headgate.core.propose import SPLIT, WELL
from headgate.core.propose import STACKS as NAMED

PAGE = DOCS / "setup.md"


def test_every_key_has_its_row():
    told = [cells for cells in rows(section(PAGE, "## What it proposes")) if "_API_KEY" in cells[0]]
    assert [[f"`{cloud.variable}`", f"`{cloud.id}`"] for cloud in CLOUDS] == told


def test_every_option_has_its_row():
    told = {
        cells[0].strip("`") for cells in rows(section(PAGE, "## What it asks")) if cells[0].startswith("`--")
    }
    options = {word for option in command.params for word in option.opts}
    assert told == options - {"--config", "--json"}


def test_every_stack_has_its_row_with_all_its_models():
    told = {cells[0].strip("`"): cells[1] for cells in rows(section(PAGE, "## Stacks by name"))}
    assert set(STACKS) <= told.keys()
    for name, known in NAMED.items():
        assert {getattr(known, role) for role in SPLIT} <= set(re.findall(r"`([^`]+)`", told[name]))


def test_what_is_preferred_is_told_as_it_is_computed():
    assert WELL == 3
    assert "a third of its size" in " ".join(prose(PAGE).split())
