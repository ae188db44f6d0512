"""What a download looks like, with a clock moved by hand: on a terminal, off it, and to a program."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from headgate.cli.models_progress import Bar, Events, Lines
from headgate.cli.models_words import share, size, span, until
from headgate.core.engine import Progress

SCREEN = Path(__file__).parent.parent / "data" / "screens" / "models_pull.txt"
GB = 10**9
REPORTS = [
    (0.0, Progress(step="pulling manifest")),
    (1.0, Progress(step="downloading", completed=0, total=4_900_000_000)),
    (3.0, Progress(step="downloading", completed=80_000_000, total=4_900_000_000)),
    (
        3.1,
        Progress(step="downloading", completed=84_000_000, total=4_900_000_000),
    ),  # too soon to move the bar
    (60.0, Progress(step="downloading", completed=2_400_000_000, total=4_900_000_000)),
    (90.0, Progress(step="downloading", completed=4_900_000_000, total=4_900_000_000)),
    (91.0, Progress(step="verifying sha256 digest", completed=4_900_000_000, total=4_900_000_000)),
    (99.0, Progress(step="success", completed=4_900_000_000, total=4_900_000_000)),
]


def test_the_screen_of_a_pull():
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    frames = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    bar = Bar(terminal, "llama3.1:8b", clock=lambda: 0.0)
    for now, report in REPORTS:
        bar.show(report, now)
        frames.print(bar.screen.get_renderable())
    bar.close()
    seen = "\n".join(line.rstrip() for line in frames.file.getvalue().splitlines()) + "\n"
    assert seen == SCREEN.read_text()


def test_off_a_terminal_each_tenth_is_a_line(capsys):
    lines = Lines()
    lines.show(Progress(step="downloading", completed=0, total=1000), 0.0)
    for done in range(1, 1001):
        lines.show(Progress(step="downloading", completed=done, total=1000), done / 100)
    lines.show(Progress(step="success"), 11.0)
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 12
    assert said[1] == "downloading  100 B of 1 kB, 100 B/s, 9.0 s left"
    assert said[-2:] == ["downloading  1 kB", "success"]


def test_a_program_is_told_a_few_times_a_second_and_always_the_end(capsys):
    events = Events()
    for done in range(1001):
        events.show(Progress(step="downloading", completed=done, total=1000), done / 1000)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 5
    assert (told[2]["completed"], told[2]["bytes_per_second"], told[2]["seconds_left"]) == (500, 1000, 0.5)
    assert told[-1]["completed"] == 1000


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (size(None), "?"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(8_325_692), "8.3 MB"),
        (size(274_302_450), "274 MB"),
        (size(4_920_753_328), "4.9 GB"),
        (size(10**15), "1,000 TB"),
        (span(0.031), "0.03 s"),
        (span(4.25), "4.2 s"),
        (span(59.7), "1 min 0 s"),
        (span(3725), "1 h 2 min"),
        (share(None, 5), "?"),
        (share(0, 5), "0%"),
        (share(3, 4), "75%"),
        (until(None, 0.0), "?"),
        (until(252.0, 0.0), "in 4 min 12 s"),
        (until(-5.0, 0.0), "in 0.00 s"),
        (until(11e9, 1.8e9), "stays"),
    ],
)
def test_figures_read_as_people_say_them(said, words):
    assert said == words
