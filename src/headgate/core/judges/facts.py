"""Do two short answers state the same figures, names and words, or plainly different ones?

They agree if each says what the other says, in whatever form, beyond what the ask has said already: the same words and figures, no denial
more, nobody's part given to another. They contradict each other if one says yes and the other no, or if each gives one figure of the same
kind and these are not one another rounded. A local answer that is empty or declines is worse. All the rest is for others to judge, and so is what is long: to count its figures would keep others waiting.
"""

from headgate.core.audits import Pair
from headgate.core.checks.material import said
from headgate.core.checks.refusals import no_refusal
from headgate.core.judges.checked import as_answer
from headgate.core.judges.code import code
from headgate.core.judges.found import Ruling
from headgate.core.judges.meaning import (
    Sense,
    difference,
    has_more_words,
    in_order,
    lacking,
    sense_of,
    unmatched,
    written_as,
)
from headgate.core.types import Request
from headgate.core.words import Task

SHORT = 60
"""Words of an answer that can be told by its words and figures alone."""
BRIEF = 30
"""Words of an answer whose one figure is its answer."""
ASK = 20_000
"""Characters of an ask that is compared with: to know all the figures of a longer one takes too long."""
TELLING: frozenset[Task | None] = frozenset({"qa", "reasoning", "extraction"})
"""Tasks whose answers tell something that is right or wrong, a figure for instance."""


LETTERS: frozenset[Task | None] = frozenset({"writing", "translation", "chat"})
"""Tasks whose answers may be letters that decline on somebody's behalf."""


def facts(pair: Pair) -> Ruling | None:
    """As good if both state the same, worse if they contradict each other; None where neither is plain."""
    local, paid = said(pair.local.text).strip(), said(pair.paid.text).strip()
    if pair.local.tool_calls or pair.paid.tool_calls:
        return None
    if paid and not local:
        return Ruling(False, "the local answer is empty", 0.0)
    if pair.task not in LETTERS and declines(pair.request, local) and not declines(pair.request, paid):
        return Ruling(False, "the local answer declines, the paid one does not", 0.0)
    if pair.task == "code" or ("```" in local and "```" in paid):
        return code(local, paid)
    if pair.request.format.kind != "text":
        return None
    ask = "\n".join([message.text for message in pair.request.messages])
    if len(ask) > ASK or has_more_words(local, SHORT) or has_more_words(paid, SHORT):
        return None
    one, other, asked = sense_of(local), sense_of(paid), sense_of(ask)
    return contradiction(pair.task, asked, one, other) or agreement(pair.task, asked, one, other)


def agreement(task: Task | None, asked: Sense, local: Sense, paid: Sense) -> Ruling | None:
    """Both state the same, and something at all.

    Where the task is to tell something, either may repeat of the ask what it likes. What is rewritten or made up has to be all the same.
    """
    if difference(local, paid, asked.figures):
        return None
    known = asked.words if task in TELLING else ()
    mine, theirs = lacking(local.words, known), lacking(paid.words, known)
    figures = unmatched(paid.figures, asked.figures)
    if not (theirs or figures or (local.lead and local.lead == paid.lead)):
        return None
    if lacking(mine, theirs) or lacking(theirs, mine) or not in_order(mine, theirs):
        return None
    repeated = (
        [word for word in local.words if word not in mine],
        [word for word in paid.words if word not in theirs],
    )
    if not in_order(*repeated):
        return None  # who does what to whom may have been turned round
    shown = ", ".join([*theirs, *(written_as(figure, paid) for figure in figures)][:4]) or paid.lead
    return Ruling(True, f"both state the same: {shown}", 0.97)


def contradiction(task: Task | None, asked: Sense, local: Sense, paid: Sense) -> Ruling | None:
    """One says yes and the other no, or each gives another figure as its answer."""
    if max(local.length, paid.length) > BRIEF:
        return None
    if local.lead and paid.lead and local.lead != paid.lead:
        return Ruling(False, f"the local answer says {local.lead}, the paid one {paid.lead}", 0.03)
    if task not in TELLING:
        return None
    mine, theirs = unmatched(local.figures, asked.figures), unmatched(paid.figures, asked.figures)
    if len(mine) != 1 or len(theirs) != 1 or not unmatched(mine, theirs):
        return None
    at, to = local.figures.index(mine[0]), paid.figures.index(theirs[0])
    rough = max(local.rough[at], paid.rough[to])
    if local.units[at] != paid.units[to] and local.units[at] and paid.units[to]:
        return None  # 90 minutes are 1.5 hours
    if any(abs(a - b) <= rough for a in mine[0] for b in theirs[0]):
        return None  # one may be the other, rounded
    return Ruling(False, f"the local answer says {local.written[at]}, the paid one {paid.written[to]}", 0.03)


def declines(request: Request, text: str) -> bool:
    """Whether an answer declines and offers nothing."""
    return no_refusal(as_answer(text, request)).score == 0.0
