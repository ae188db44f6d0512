"""What an answer tells about itself, measured without knowing the right one.

    answer_figures(prompt, answer) → figures, in the order of NAMES

Arithmetic that is written out is done again: "4 * 20 = 80" holds or does not. A calculator's marks ("<<4*20=80>>") are such
arithmetic; `without_marks` takes them out, to see what an answer in plain words tells. Beside that: length, how it ends, how sure it sounds,
repetition, and which numbers of the question it uses. It knows no benchmark and no model.
"""

import re
from collections.abc import Iterator

from headgate.core.checks.numbers import find_numbers

NAMES = (
    "characters", "lines", "sentences", "numbers", "sums", "wrong sums", "share of wrong sums", "signs left to right", "unfinished",
    "ends in a number", "last number whole", "last number negative", "last number was worked out", "last number of the question",
    "last number large", "numbers of the question used", "numbers out of nowhere", "results used again", "hedges", "repeats",
    "marks", "question marks", "share of the question's words", "steps a number",
)  # fmt: skip

_MARK = re.compile(r"<<[^<>]*(?:>>|$)")
_ESCAPED = re.compile(r"\\([*+/-])")
_SUM = re.compile(
    r"(\d[\d,]*(?:\.\d+)?(?:\s*(?:[-+*/x×÷−]|\bof\b)\s*\(?\s*\$?\d[\d,]*(?:\.\d+)?%?\s*\)?)+)"  # what is worked out
    r"(?:\s*[A-Za-z]{1,12}){0,2}\s*=\s*\$?\s*(-?\d[\d,]*(?:\.\d+)?)"  # what is said to come of it
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TERM = re.compile(r"(\d[\d,]*(?:\.\d+)?)(%?)|([-+*/x×÷−])")
_HEDGE = re.compile(
    r"\b(?:may|might|maybe|perhaps|probably|unclear|not sure|cannot|can't|assum\w+|approximately|about|likely|unknown|however)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_END = re.compile(r"[.!?](?:\s|$)")


def without_marks(answer: str) -> str:
    """The answer without a calculator's marks, also one that was cut off."""
    return _MARK.sub("", answer)


def sums(answer: str) -> Iterator[tuple[float, float]]:
    """Each calculation that is written out: what it comes to, and what the answer says it comes to."""
    for found in _SUM.finditer(_ESCAPED.sub(r"\1", answer)):
        if (value := worked_out(found.group(1))) is not None:
            yield value, _read(found.group(2))


def worked_out(calculation: str) -> float | None:
    """What products and sums without brackets come to, products first; None where that cannot be told."""
    total, product, sign = 0.0, None, 1.0
    by: str | None = None
    for number, percent, operator in _TERM.findall(calculation):
        if operator:
            if by is not None or product is None:
                return None
            by = operator
            continue
        value = _read(number) / (100 if percent else 1)
        if product is None:
            product = value
        elif by in ("*", "x", "×"):
            product *= value
        elif by in ("/", "÷"):
            if not value:
                return None
            product /= value
        elif by in ("+", "-", "−"):
            total += sign * product
            sign, product = (1.0 if by == "+" else -1.0), value
        else:
            return None
        by = None
    return None if product is None or by is not None else total + sign * product


def final_number(answer: str) -> float | None:
    """The last number of an answer."""
    found = _NUMBER.findall(answer)
    return _read(found[-1]) if found else None


def said_last(answer: str) -> str:
    """What an answer comes to, for a comparison with another: a last number, or else its last line in plain letters."""
    line = next((each for each in reversed(answer.splitlines()) if each.strip()), "")
    number = final_number(line)
    return f"{number:g}" if number is not None else " ".join(_WORD.findall(line.lower()))[:80]


def answer_figures(prompt: str, answer: str) -> tuple[float, ...]:
    """What can be measured of an answer to a prompt, in the order of `NAMES`."""
    asked = {value for number in find_numbers(prompt) for value, _ in number.values}
    told = [_read(written) for written in _NUMBER.findall(answer)]
    done = list(sums(answer))
    wrong = sum(not _same(value, said) for value, said in done)
    results = {said for _, said in done} | {round(value, 6) for value, _ in done}
    last = told[-1] if told else None
    tail = answer.strip()[-80:]
    words = [word.lower() for word in _WORD.findall(answer)]
    threes = list(zip(words, words[1:], words[2:], strict=False))
    nowhere = [value for value in told if value not in asked and value not in results]
    return (
        len(answer),
        answer.count("\n"),
        len(_END.findall(answer)),
        len(told),
        len(done),
        wrong,
        wrong / len(done) if done else 0.0,
        answer.count("="),
        float(_is_cut(answer)),
        float(bool(tail) and any(mark.isdigit() for mark in tail[-12:])),
        float(last is not None and last == int(last)),
        float(f"-{last:g}" in tail) if last is not None else 0.0,
        float(last is not None and any(_same(last, result) for result in results)),
        float(last is not None and last in asked),
        min(last, 1e9) if last is not None else -1.0,
        len(asked & set(told)) / len(asked) if asked else 1.0,
        len(nowhere) / len(told) if told else 0.0,
        sum(told.count(result) > 1 for result in results) / len(results) if results else 0.0,
        len(_HEDGE.findall(answer)),
        1 - len(set(threes)) / len(threes) if threes else 0.0,
        answer.count("<<"),
        answer.count("?"),
        len(set(words) & {word.lower() for word in _WORD.findall(prompt[-2000:])}) / (len(set(words)) + 1),
        len(done) / (len(asked) + 1),
    )


def _is_cut(answer: str) -> bool:
    """Whether an answer seems to stop in the middle: in a calculation, or within something that it opened."""
    text = answer.rstrip()
    opened = any(text.count(left) > text.count(right) for left, right in ("()", "[]", "{}", ("<<", ">>")))
    return opened or text.count("```") % 2 == 1 or (bool(text) and text[-1] in "+-*/×÷=,:(<$")


def _read(written: str) -> float:
    """A number as it is written in a calculation."""
    return float(written.replace(",", "") or 0)


def _same(left: float, right: float) -> bool:
    """Whether two numbers are the same but for rounding to what people write."""
    return abs(left - right) <= max(0.011, 0.0051 * abs(left))
