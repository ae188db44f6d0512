"""The example of docs/tune.md is run: the same week, the same words, figures aside."""

import re

from docs_pages import DOCS, blocks

from tune_desk import Desk, a_week


def blurred(text):
    """The text with every figure as one #, in single spaces."""
    return re.sub(r" +", " ", re.sub(r"\d[\d.,]*", "#", text)).strip()


def test_the_page_shows_what_the_command_prints(tmp_path):
    desk = Desk(tmp_path)
    desk.record(a_week())
    shown = blocks(DOCS / "tune.md", "text")[0].text
    printed = desk.run("--floor", "98.5").stdout
    assert blurred(printed) == blurred(shown)
    for line in shown.splitlines():
        if line.startswith(("-tokens", "+tokens")):
            assert line in printed, "the change itself, with its figures"
