"""Read the numbers in a text, in the ways people write them.

A written number can mean more than one: "1.200" is 1.2 in English and 1,200 in German; "4.8m" is metres or millions. So
each number is a set of possible values. It does not know units, dates as such, Roman numerals or number words above
twelve, save a few round ones.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

_NUMBER = re.compile(
    r"(\d(?:\d{0,2}(?:[\u00a0\u202f '’]\d{3})+(?:[.,]\d+)?|\d*(?:[.,]\d+)*))"
    r"(?:[ \u00a0\u202f-]?(k|m|mn|mio|bn|b|tsd|thousand|million|millions|millionen|millones|millón|billion|billions|milliarde|"
    r"milliarden|milliards?|mille|mil|tausend)\b)?"
    r"([ \u00a0\u202f]?%)?",
    re.IGNORECASE,
)
_SCALES = {
    "k": 1e3, "tsd": 1e3, "thousand": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3,
    "m": 1e6, "mn": 1e6, "mio": 1e6, "million": 1e6, "millions": 1e6, "millionen": 1e6, "millones": 1e6, "millón": 1e6,
    "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "milliarde": 1e9, "milliarden": 1e9, "milliard": 1e9,
    "milliards": 1e9,
}  # fmt: skip
_SPELLED: dict[str, float] = {
    word: value
    for value, words in {
        1: "one first once einen eine ein erste un une uno una primer primera première",
        2: "two second twice both zwei zweite beide deux dos segundo double",
        3: "three third drei dritte trois tres tercer",
        4: "four fourth vier vierte quatre cuatro",
        5: "five fifth fünf fünfte cinq cinco",
        6: "six sixth sechs seis",
        7: "seven seventh sieben sept siete",
        8: "eight eighth acht huit ocho",
        9: "nine ninth neun neuf nueve",
        10: "ten tenth zehn dix diez",
        11: "eleven elf onze once",
        12: "twelve zwölf douze doce dozen dutzend douzaine docena",
        13: "thirteen dreizehn treize trece",
        14: "fourteen vierzehn quatorze catorce",
        15: "fifteen fünfzehn quinze quince",
        16: "sixteen sechzehn seize dieciséis",
        18: "eighteen achtzehn dieciocho",
        20: "twenty zwanzig vingt veinte",
        30: "thirty dreißig trente treinta",
        40: "forty vierzig quarante cuarenta",
        50: "fifty half fünfzig hälfte cinquante moitié cincuenta mitad",
        60: "sixty sechzig soixante sesenta",
        100: "hundred hundert cent cien",
        1000: "thousand tausend mille mil",
    }.items()
    for word in words.split()
}  # fmt: skip
_WORD = re.compile(r"[a-zà-ÿß]+")
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")


class Number(Struct, frozen=True):
    """A number as written, where it stands, what it may mean, and how far off a rounded source may be."""

    written: str
    start: int
    end: int
    values: tuple[tuple[float, float], ...]
    """Pairs of value and tolerance: half a unit of the last digit shown."""
    bare: bool
    """A plain whole number: no decimals, no scale, no percent."""


def find_numbers(text: str) -> Iterator[Number]:
    """Every number written with digits, in order."""
    for found in _NUMBER.finditer(text):
        digits, scale, percent = found.groups()
        values = [(value, tolerance) for value, tolerance in _readings(digits)]
        bare = scale is None and percent is None and digits.isdigit()
        if scale is not None:
            factor = _SCALES[scale.lower()]
            values += [(value * factor, tolerance * factor) for value, tolerance in values]
        if percent is not None:
            values += [(value / 100, tolerance / 100) for value, tolerance in values]
        yield Number(found.group().strip(), found.start(), found.end(), tuple(values), bare)


def _readings(digits: str) -> Iterator[tuple[float, float]]:
    """What a run of digits and marks may mean. "1.200,50" is sure; "1.200" is 1200 or 1.2; "3.10.2024" is three numbers."""
    plain = re.sub(r"[\u00a0\u202f '’]", "", digits)
    marks = [c for c in plain if c in ".,"]
    if not marks:
        value = float(plain)
        yield value, 0.5 if value >= 10 else 0.0  # 48 may stand for 48.3, but 4 does not stand for 4.3
        return
    if _GROUPED.fullmatch(plain):
        yield float(plain.replace(".", "").replace(",", "")), 0.0
    head, _, tail = plain.rpartition(marks[-1])
    whole = head.replace(".", "").replace(",", "")
    if len(marks) == 1 or (marks[-1] not in marks[:-1] and len(tail) != 3):
        yield float(f"{whole}.{tail}"), 0.5 * 10 ** -len(tail)
    elif len(set(marks)) == 1:
        for part in re.split(r"[.,]", plain):
            yield float(part), 0.0
    else:
        yield float(f"{whole}.{tail}"), 0.5 * 10 ** -len(tail)


def known_values(text: str) -> list[float]:
    """All the values that a text gives, digits and small number words alike, sorted. Hours count in both clocks."""
    values: set[float] = set()
    for number in find_numbers(text):
        values.update(value for value, _ in number.values)
        if number.bare and len(number.written) <= 2:
            hour = int(number.written)
            after = text[number.end : number.end + 6].lstrip(" :0123456789").lower()
            if text[number.end : number.end + 1] in (":", "h") and hour > 12:
                values.add(float(hour - 12))
            elif after.startswith(("pm", "p.m")) and hour < 12:
                values.add(float(hour + 12))
    values.update(_SPELLED[word] for word in set(_WORD.findall(text.lower())) & _SPELLED.keys())
    return sorted(values)
