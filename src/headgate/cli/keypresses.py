"""Single keys from the terminal, as they are pressed.

The terminal is set once for as long as keys are wanted, and not for each: whoever presses the next key before it is asked for would
lose it otherwise. It does not know what keys mean.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Press = Callable[[], str]
"""Waits for the next key; "" when the terminal is gone."""


@contextmanager
def keypresses() -> Iterator[Press]:
    """A way to wait for keys; the terminal is as before at the end."""
    try:
        import termios
        import tty
    except ImportError:  # not a Unix
        yield click.getchar
        return
    import os

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield lambda: os.read(terminal, 1).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
