"""Name the task of a prompt by rules: which of eleven kinds of work does its sender want back?

A prompt is read (`reading`: what is asked, what is only pasted), its cues are noted (`evidence`: words of `cues` in four
languages, and the form of ask and paste), and every cue speaks for or against tasks with a fixed number (`weights`,
fitted by `benchmarks/classifier.py`). It knows nothing of meaning: an ask that is only implied, in another language, or
in words that no table holds gets a low confidence or a wrong name; docs/classifier.md has the figures.
"""

from math import exp
from struct import Struct

from headgate.core.tasks.evidence import notice
from headgate.core.tasks.weights import CUES, WORDS
from headgate.core.words import TASKS, Task

__all__ = ["classify", "explain"]

SAYS_NOTHING = frozenset((
    *(f"{form}, {pasted}" for form in ("asks", "tells", "few words", "no word known") for pasted in ("a paste", "no paste")),
    *("a paste", "no paste", "long paste", "a number"),
))  # fmt: skip
"""Cues that any text has, in any language: without another one there is no evidence."""

# A row of weights is kept as one whole number with 32 bits for each task, so that adding up fifty rows is fifty additions
# and not 550. Every sum starts at 2³⁰, which no sum of weights comes near: so none is negative and borrows from the next.
_LANES = Struct(f"<{len(TASKS)}I")


def _join(row: tuple[int, ...]) -> int:
    return sum(value << 32 * lane for lane, value in enumerate(row))


_START = _join((1 << 30,) * len(TASKS))
_CUES = {cue: _join(row) for cue, row in CUES.items()}
_WORDS = {word: _join(row) for word, row in WORDS.items()}
_KNOWN_CUES = frozenset(_CUES)
_KNOWN_WORDS = frozenset(_WORDS)


def classify(ask: str) -> tuple[Task | None, float]:
    """Return the likeliest task and the confidence in it, 0–1; (None, 0.0) when nothing speaks for any task.

    The confidence is meant as a share: of a hundred prompts with confidence 0.8, some eighty are named rightly.
    Any text will do; only its opening and its close are read.
    """
    cues, words = notice(ask)
    rows = list(map(_WORDS.__getitem__, _KNOWN_WORDS.intersection(words)))
    known = _KNOWN_CUES & cues
    if not rows and known <= SAYS_NOTHING:
        return None, 0.0
    rows += map(_CUES.__getitem__, known)
    sums = _LANES.unpack(sum(rows, _START).to_bytes(_LANES.size, "little"))
    top = max(sums)
    return TASKS[sums.index(top)], 1 / sum([exp((value - top) / 100) for value in sums])


def explain(ask: str) -> tuple[tuple[str, Task, float], ...]:
    """The cues that fired, single words in quotes: each with the task it speaks for most and its weight there, strongest first."""
    cues, words = notice(ask)
    rows = [(cue, CUES[cue]) for cue in _KNOWN_CUES & cues]
    rows += [(f"'{word}'", WORDS[word]) for word in WORDS.keys() & words]
    fired = [(name, TASKS[row.index(max(row))], max(row) / 100) for name, row in rows if max(row) > 0]
    return tuple(sorted(fired, key=lambda item: (-item[2], item[0])))
