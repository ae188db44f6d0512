"""Is a summary true to its source, in what can be counted? `shorter-than-source` and `grounded-numbers`.

They hold the answer against the text it was made from. They know lengths and figures: a summary that leaves out the point,
or puts a right number in a wrong place, passes.
"""

import re
from bisect import bisect_left

from headgate.core.checks.material import everything_given, main_text, said
from headgate.core.checks.numbers import Number, find_numbers, known_values
from headgate.core.types import Answer, Verdict

_LEAST_SOURCE = 200
_ANSWER_WINDOW = 8_000
_SOURCE_WINDOW = 100_000
_NUMBERING = re.compile(
    r"^[ \t]*(?:[#>*_-]+[ \t]*)*\d{1,2}[.)](?=\s|\*)|^[ \t]*\*\*\d{1,2}[.)]?\*\*", re.MULTILINE
)


def shorter_than_source(answer: Answer) -> Verdict:
    """1.0 up to half the source's length, 0.0 from its full length on, a straight line between (0.6 at 70 %).

    None if the source has fewer than 200 characters: a sentence is not summarised but rephrased.
    """
    source = len(main_text(answer).strip())
    if source < _LEAST_SOURCE:
        return Verdict("shorter-than-source", None, f"the source has only {source} characters")
    ratio = len(said(answer.reply.text).strip()) / source
    if ratio <= 0:
        return Verdict("shorter-than-source", None, "there is no answer to measure")
    score = min(1.0, max(0.0, 2.0 * (1.0 - ratio)))
    return Verdict("shorter-than-source", round(score, 3), f"{ratio:.0%} as long as its source")


def grounded_numbers(answer: Answer) -> Verdict:
    """1.0 if every figure of the answer is in what the model was given; at most 0.5 if one is not; 0.0 if none is.

    0.8 if only small counts (up to 12, without unit) are not found: the summary may have counted for itself. Formats
    (1,200 / 1.200 / 1 200), scales ($4.8k), rounding (4.8k for 4,812), percents and both clocks are allowed for, and small
    numbers may be spelled in the source. Numbers spelled in the answer are not looked at. None without figures.
    """
    text = _NUMBERING.sub("", said(answer.reply.text)[:_ANSWER_WINDOW])
    numbers = list(find_numbers(text))
    if not numbers:
        return Verdict("grounded-numbers", None, "it has no figures")
    source = everything_given(answer)
    known = known_values(source[:_SOURCE_WINDOW])
    rest = source[_SOURCE_WINDOW:]
    loose = [n for n in numbers if not _is_known(n, known) and not (rest and n.written in rest)]
    if not loose:
        return Verdict("grounded-numbers", 1.0, f"all {len(numbers)} figures are in the source")
    invented = [n for n in loose if not (n.bare and float(n.values[0][0]) <= 12)]
    named = ", ".join(n.written for n in (invented or loose)[:4])
    if not invented:
        return Verdict("grounded-numbers", 0.8, f"not in the source, but small enough to be a count: {named}")
    share = 1.0 - len(loose) / len(numbers)
    reason = f"{len(invented)} of {len(numbers)} figures are not in the source: {named}"
    return Verdict("grounded-numbers", round(0.5 * share, 3), reason)


def _is_known(number: Number, known: list[float]) -> bool:
    for value, tolerance in number.values:
        slack = max(tolerance, 1e-9 * value)
        at = bisect_left(known, value - slack)
        if at < len(known) and known[at] <= value + slack:
            return True
    return False
