"""Name the task of a prompt by rules: which of eleven kinds of work does its sender want back?

A prompt is read (`reading`: what is asked, what is only pasted), its cues are noted (`evidence`: words of `cues` in four
languages, and the form of ask and paste), and every cue speaks for or against tasks with a fixed number (`weights`,
fitted by `benchmarks/classifier.py`). It knows nothing of meaning: an ask that is only implied, in another language, or
in words that no table holds gets a low confidence or a wrong name; docs/classifier.md has the figures.
"""

from math import exp

from headgate.core.tasks.evidence import notice
from headgate.core.tasks.weights import WEIGHTS
from headgate.core.words import TASKS, Task

__all__ = ["classify", "explain"]

SAYS_NOTHING = frozenset((
    *(f"{form}, {pasted}" for form in ("asks", "tells", "few words", "no word known") for pasted in ("a paste", "no paste")),
    *("a paste", "no paste", "long paste", "a paste in no known language", "exclamation", "a number"),
))  # fmt: skip
"""Cues that any text has, in any language: without another one there is no evidence."""
_NOBODY = (0,) * len(TASKS)


def classify(ask: str) -> tuple[Task | None, float]:
    """Return the likeliest task and the confidence in it, 0–1; (None, 0.0) when nothing speaks for any task.

    The confidence is meant as a share: of a hundred prompts with confidence 0.8, some eighty are named rightly.
    Any text will do; only its opening and its close are read.
    """
    cues = notice(ask) & WEIGHTS.keys()
    if cues <= SAYS_NOTHING:
        return None, 0.0
    rows = [WEIGHTS[cue] for cue in cues]
    sums = list(map(sum, zip(*rows, strict=True)))
    top = max(sums)
    return TASKS[sums.index(top)], 1 / sum([exp((value - top) / 100) for value in sums])


def explain(ask: str) -> tuple[tuple[str, Task, float], ...]:
    """The cues that fired: each with the task it speaks for most and its weight there, strongest first."""
    fired = []
    for cue in notice(ask):
        row = WEIGHTS.get(cue, _NOBODY)
        best = max(row)
        if best > 0:
            fired.append((cue, TASKS[row.index(best)], best / 100))
    return tuple(sorted(fired, key=lambda item: (-item[2], item[0])))
