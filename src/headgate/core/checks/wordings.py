"""Words that say little, words for numbers, units and denials, in English, German, French and Spanish; and when two words are one.

Data for whoever compares texts word by word. It does not know meanings.
"""

import re
from collections.abc import Mapping

_SMALL_WORDS = (
    "a an the of and or to in on at by for with from as is are was were be been being am do does did done can could should would will "
    "shall may might must has have had having it its this that these those there here i you he she we they me him us them my your his "
    "her our their what which who whom whose when where why how if then than so but about into over up out also just only very more most "
    "some any each all both such same other others another own per within after before during until since under above between through "
    "back because however therefore additionally furthermore moreover yes no please sure according according generally usually typically "
    "probably maybe perhaps possibly likely apparently seems appears think believe get gets got one ones once first s t re ve ll "
    "der die das den dem des ein eine einen einem einer eines und oder aber ist sind war waren wird werden wurde wurden im in zu zum "
    "zur mit von vom für auf an am bei als wie was wer wo wann warum welche welcher welches ich du er sie es wir ihr ihm ihn ihnen man "
    "auch nur noch schon sehr kann können muss müssen soll sollen darf dürfen hat haben hatte hatten dass daß wenn dann so sich sein "
    "seine seiner ihre ihrer ihren nach vor aus durch über unter bis seit während innerhalb etwa circa ca rund pro je ja bitte laut "
    "wahrscheinlich vielleicht möglicherweise dies diese dieser dieses diesem diesen jeder jede jedes jeden jedem alle allen mehr hier dort da "
    "le la les un une des du de et ou mais est sont était être dans pour par sur avec que qui quoi ce cette ces il elle ils elles nous "
    "vous je tu on au aux en se sa son ses leur leurs plus oui "
    "el los las una unos unas del y o pero es son era ser en para por con su sus se este esta estos estas al más sí"
)
SMALL = frozenset(_SMALL_WORDS.split())
"""Words that nearly every text has."""

_DENIALS = (
    "not no never cannot none neither nor without nobody nothing nicht kein keine keinen keinem keiner keines nie niemals ohne weder "
    "niemand nichts ne pas jamais aucun aucune sans nunca jamás ningún ninguna sin"
)
NEGATIONS = frozenset(_DENIALS.split())
"""Words that deny. A denial is held apart from all other words."""

PRONOUNS = frozenset(
    [
        "you",
        "we",
        "i",
        "it",
        "they",
        "he",
        "she",
        "this",
        "that",
        "these",
        "those",
        "there",
        "yes",
        "no",
        "sie",
        "du",
        "ihr",
        "wir",
        "man",
        "es",
        "er",
        "ja",
        "nein",
        "il",
        "elle",
        "vous",
        "nous",
        "on",
    ]
)
"""With which a sentence begins that does not say what it is about."""

SPELLED: Mapping[str, float] = {
    word: float(value)
    for value, words in {
        2: "two zwei deux dos",
        3: "three drei trois tres",
        4: "four vier quatre cuatro",
        5: "five fünf cinq cinco",
        6: "six sechs seis",
        7: "seven sieben siete",
        8: "eight acht huit ocho",
        9: "nine neun neuf nueve",
        10: "ten zehn dix diez",
        11: "eleven elf onze",
        12: "twelve zwölf douze doce dozen dutzend",
        13: "thirteen dreizehn treize trece",
        14: "fourteen vierzehn quatorze catorce",
        15: "fifteen fünfzehn quinze quince",
        20: "twenty zwanzig vingt veinte",
        30: "thirty dreißig trente treinta",
        40: "forty vierzig quarante cuarenta",
        50: "fifty fünfzig cinquante cincuenta",
        60: "sixty sechzig soixante sesenta",
        90: "ninety neunzig noventa",
        100: "hundred hundert cien",
        1000: "thousand tausend mille",
    }.items()
    for word in words.split()
}
"""Words that can only be numbers: "second" and "ein" may be something else."""

MONTHS: Mapping[str, float] = {
    word: float(number)
    for number, words in enumerate(
        (
            "january jan januar janvier enero",
            "february feb februar février febrero",
            "march mar märz mars marzo",
            "april apr avril abril",
            "may mai mayo",
            "june jun juni juin junio",
            "july jul juli juillet julio",
            "august aug août agosto",
            "september sep sept septembre septiembre",
            "october oct oktober okt octobre octubre",
            "november nov novembre noviembre",
            "december dec dezember dez décembre diciembre",
        ),
        start=1,
    )
    for word in words.split()
}

UNITS: Mapping[str, str] = {
    word: unit
    for unit, words in {
        "second": "seconds sekunde sekunden secondes segundos",
        "minute": "minute minutes minuten minuto minutos",
        "hour": "hour hours stunde stunden heure heures hora horas",
        "day": "day days tag tage tagen werktag werktage werktagen jour jours día días workday workdays",
        "week": "week weeks woche wochen semaine semaines semana semanas",
        "month": "month months monat monate monaten mois meses",
        "year": "year years jahr jahre jahren année années año años",
        "%": "% percent prozent pourcent pct",
        "euro": "€ eur euro euros",
        "dollar": "$ usd dollar dollars",
        "pound": "£ gbp pounds pfund",
        "kilobyte": "kb kilobyte kilobytes",
        "megabyte": "mb megabyte megabytes",
        "gigabyte": "gb gigabyte gigabytes",
        "terabyte": "tb terabyte terabytes",
        "kilometre": "km kilometer kilometers kilometre kilometres",
        "kilogram": "kg kilogram kilograms kilogramm",
        "gram": "gram grams gramm",
        "degree": "degree degrees grad",
        "mile": "mile miles",
    }.items()
    for word in words.split()
}
"""What figures count, where a change of it changes the sense."""

LEAST = 4
"""Letters that two words have in common at their beginning before they can be one word in two endings."""

WITHIN = 6
"""Letters of a word that may stand inside a longer one: "Erstattung" in "Rückerstattungen"."""


_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|[A-Za-z]*\d[\w-]*")


def content_words(text: str) -> frozenset[str]:
    """The words of a text that say something, in small letters."""
    return frozenset(
        [word for word in map(str.lower, _WORD.findall(text)) if not is_small(word) and word not in NEGATIONS]
    )


def is_small(word: str) -> bool:
    """Whether a word in small letters says little."""
    return word in SMALL or len(word) < 2


def alike(one: str, other: str) -> bool:
    """Whether two words in small letters are one word, but for their endings."""
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    if len(short) >= WITHIN and short in long:
        return True
    if short[:LEAST] != long[:LEAST]:
        return False
    common = 0
    for a, b in zip(short, long, strict=False):
        if a != b:
            break
        common += 1
    return common >= max(LEAST, len(short) - 2) and len(long) - common <= LEAST
