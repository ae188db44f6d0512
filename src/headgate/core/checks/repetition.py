"""Has the model fallen into a loop? `not-repeating`.

Two steps. A screen of eight probes is all that an ordinary answer pays. Only a text in which probes turn up
again is walked through, in linear time, for stretches that repeat with a fixed period (a loop in the strict sense) and,
in prose, for sentences that keep coming back. It knows form only: two sentences that say the same in other words pass,
and so do tables, lists, refrains and code, which repeat but do not cycle.
"""

import re
from collections import Counter

from headgate.core.checks.material import without_fences
from headgate.core.types import Answer, Verdict

_WINDOW = 8_000
"""Characters looked at: a loop runs to the end, so the tail is enough."""
_PROBES = 8
_PROBE = 18
_SHORTEST = 120
_ENDLESS = 40
"""A longer word is taken apart into its letters: a run of one sign, or a script without spaces."""
_NUMBERING = re.compile(r"^[ \t]*(?:\d+[.)]|[-*•])[ \t]+", re.MULTILINE)
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_FINE = Verdict("not-repeating", 1.0, "nothing repeats")


def not_repeating(answer: Answer) -> Verdict:
    """0.0 if half the answer or more is a loop, 1.0 if a fifth or less is, a straight line between.

    A loop is a stretch of at least four equal rounds; an answer that is given twice over scores 0.5. In prose, sentences
    that come a third time count as well, with a third of the text allowed for refrains. Short answers score 1.0.
    """
    text = answer.reply.text
    size = len(text)
    if size < _SHORTEST:
        return _FINE
    if size > _WINDOW:
        text = text[-_WINDOW:]
        size = _WINDOW
    twice = often = 0
    step = (size - _PROBE) // (_PROBES - 1)
    for start in range(0, size - _PROBE + 1, step):
        probe = text[start : start + _PROBE]
        if probe in text[start + 1 :]:
            twice += 1
            often += text.count(probe) > 2
    if often < 2 and twice < _PROBES // 2:
        return _FINE
    return _look_closely(text)


def _look_closely(text: str) -> Verdict:
    words = [
        unit
        for word in _NUMBERING.sub("", text).split()
        for unit in (word if len(word) > _ENDLESS else (word,))
    ]
    end, covered, period = _find_cycle(words)
    rounds = covered // period
    looped = sum(map(len, words[end - covered : end])) / max(1, sum(map(len, words)))
    score, reason = 1.0, ""
    if rounds >= 4 and covered >= 16:
        score = _fall(looped, 0.2, 0.5)
        if rounds >= 6 and len(words) - end <= period:
            score = min(score, 0.4)  # it was still going round when it stopped
        unit = "word comes" if period == 1 else f"{period} words come"
        reason = f"the same {unit} {rounds} times in a row ({looped:.0%} of the answer)"
    elif period >= 20 and rounds == 2 and looped >= 0.9:
        score = 0.5
        reason = "the whole answer is given twice over"
    share = _share_of_returning_sentences(text)
    of_sentences = _fall(share, 0.33, 0.63)
    if of_sentences < score:
        score = of_sentences
        reason = f"{share:.0%} of it are sentences that were said twice before"
    if score == 1.0:
        return _FINE
    return Verdict("not-repeating", round(score, 3), reason)


def _fall(value: float, good: float, bad: float) -> float:
    """1.0 up to `good`, 0.0 from `bad` on, a straight line between."""
    return min(1.0, max(0.0, (bad - value) / (bad - good)))


def _find_cycle(words: list[str]) -> tuple[int, int, int]:
    """The longest stretch that repeats with a fixed period: where it ends, words covered, words of one round.

    One pass: four words that were seen `period` words ago keep a run alive as long as the period stays the same. Rules of
    a table are passed over; rows of figures go round by nature, so a stretch without letters must go round 20 times.
    """
    last: dict[tuple[str, str, str, str], int] = {}
    period = run = 0
    best = (0, 0, 1)
    for at, key in enumerate(zip(words, words[1:], words[2:], words[3:], strict=False)):
        seen = last.get(key)
        last[key] = at
        if seen is None:
            run = 0
            continue
        if run and at - seen == period:
            run += 1
        else:
            period, run = at - seen, 4
        covered = run + period
        if covered > best[1] and run >= period:
            signs = "".join(key)
            lettered = any(map(str.isalpha, signs))
            if lettered or (covered >= 20 * period and any(map(str.isdigit, signs))):
                best = (at + 4, covered, period)
    return best


def _share_of_returning_sentences(text: str) -> float:
    """The share of prose, by characters, in sentences that stand there for the third time or later."""
    if text.lstrip()[:1] in "{[<":
        return 0.0  # data and markup repeat their field names by nature
    prose = [
        bare
        for part in _SENTENCE_ENDS.split(without_fences(text))
        if len(bare := _NUMBERING.sub("", part).strip()) >= 12 and " " in bare and bare[0] != "|"
    ]
    size = sum(map(len, prose))
    if size < _SHORTEST:
        return 0.0
    spare = sum(len(sentence) * (n - 2) for sentence, n in Counter(prose).items() if n > 2)
    return spare / size
