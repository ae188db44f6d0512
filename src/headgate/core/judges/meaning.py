"""What a text claims, in what can be counted: its figures, its words, its denials, and the order in which they stand.

    sense = sense_of("Anna paid Ben 40 euros.")
    difference(a, b)     the first thing in which two texts plainly differ, in words; "" if there is none

Two texts may agree in all of it and still not mean the same; where they differ in it, they are not to be taken for the same without a
reader. So it guards judges that know nothing of polarity, figures and roles. Words are known in English, German, French and Spanish.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from math import isclose

from msgspec import Struct

from headgate.core.checks.numbers import find_numbers
from headgate.core.checks.wordings import MONTHS, NEGATIONS, SPELLED, UNITS, alike, is_small

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_MONTH = "|".join(sorted(map(re.escape, MONTHS), key=len, reverse=True))
_DAY = (
    r"(?<![\d.-])(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?![\d-])"
    r"|(?<![\d./])(?P<a>\d{1,2})(?P<mark>[./])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4})(?![\d./]\d)"
    rf"|(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.|er|º)? (?:of |de )?(?P<month>{_MONTH})\.?,? (?:de |del )?(?P<year2>\d{{4}})(?!\d)"
    rf"|\b(?P<month3>{_MONTH})\.? (?P<day3>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year3>\d{{4}})(?!\d)"
)
_MONTH_OF_DATE = re.compile(r"\d\.?(?:st|nd|rd|th)?(?: of)? ([^\W\d_]+)|([^\W\d_]+)\.? \d", re.IGNORECASE)
_NUMBERING = re.compile(r"^[ \t]*(?:[#>*_-]+[ \t]*)*\d{1,2}[.)](?=\s)", re.MULTILINE)
_CITED = re.compile(r"\[\d{1,3}\]")
"""The mark of a passage, which is no figure of the answer."""
_OPPOSITES = (
    "increase decrease|increased decreased|increases decreases|rise fall|rises falls|rose fell|rising falling|up down|higher lower|"
    "high low|more less|more fewer|most least|approve reject|approved rejected|approved denied|accept decline|accepted declined|"
    "accept reject|accepted rejected|accepted refused|allow forbid|allowed forbidden|allowed prohibited|permitted prohibited|"
    "agree disagree|true false|correct incorrect|correct wrong|right wrong|right left|positive negative|pass fail|passed failed|"
    "succeed fail|succeeded failed|success failure|open closed|opens closes|opened closed|before after|earlier later|early late|"
    "always never|all none|include exclude|included excluded|with without|enable disable|enabled disabled|on off|win lose|won lost|"
    "wins loses|raise lower|raises lowers|raised lowered|surcharge discount|charge discount|throws keeps|morning evening|welcome unwelcome|keep delete|sells lends|twice half|double half|all half|all some|broken repaired|broke repaired|always sometimes|buy sell|bought sold|safe dangerous|safe unsafe|good bad|better worse|best worst|good poor|like dislike|love hate|hot cold|warm cold|"
    "hotter colder|fast slow|faster slower|big small|bigger smaller|larger smaller|large small|long short|longer shorter|old new|"
    "older newer|older younger|old young|strong weak|stronger weaker|light dark|full empty|cheap expensive|cheaper dearer|"
    "first last|start stop|starts stops|start end|begin end|begins ends|add remove|added removed|maximum minimum|max min|profit loss|"
    "gain loss|gained lost|easy hard|easy difficult|present absent|north south|east west|above below|inside outside|front back|"
    "import export|public private|active inactive|paid unpaid|paid free|free charged|guilty innocent|alive dead|same different|"
    "happy sad|satisfied dissatisfied|can cannot|mandatory optional|required optional|voluntary mandatory|credit debit|borrow lend|"
    "arrive depart|arrives departs|enter leave|even odd|wet dry|rich poor|broke fixed|cancel confirm|cancelled confirmed|"
    "ja nein|gestiegen gesunken|steigt sinkt|mehr weniger|höher niedriger|hoch niedrig|vor nach|offen geschlossen|immer nie|"
    "erlaubt verboten|richtig falsch|gut schlecht|besser schlechter|angenommen abgelehnt|genehmigt abgelehnt|mit ohne|groß klein|"
    "alt neu|früher später|gewonnen verloren|größer kleiner|schneller langsamer|teurer billiger|"
    "oui non|plus moins|avant après|ouvert fermé|toujours jamais|vrai faux|bon mauvais|meilleur pire|augmenté diminué|hausse baisse|"
    "accepté refusé|avec sans|autorisé interdit|grand petit|"
    "sí no|más menos|antes después|abierto cerrado|siempre nunca|verdadero falso|bueno malo|mejor peor|aumentó disminuyó|"
    "subió bajó|aceptado rechazado|con sin|permitido prohibido|grande pequeño"
)
OPPOSITES: frozenset[frozenset[str]] = frozenset([frozenset(two.split()) for two in _OPPOSITES.split("|")])
"""Pairs of words of which one turns a sentence with the other into its contrary."""

_TURNING = ("un", "in", "im", "il", "ir", "dis", "non", "non-", "mis")
"""What turns a word into its contrary in front of it."""
_KNOWN_UNITS = frozenset(UNITS.values())
_POLAR = frozenset([word for pair in OPPOSITES for word in pair])

YES = frozenset(["yes", "yeah", "yep", "correct", "true", "ja", "oui", "sí", "si"])
NO = frozenset(["no", "nope", "nein", "non", "incorrect", "false"])

LEAST_TURNED = 4
"""Words that both texts must have before one may begin with what the other ends with."""
SEQUENCE = frozenset(
    [
        "then",
        "before",
        "after",
        "afterwards",
        "first",
        "finally",
        "once",
        "until",
        "dann",
        "bevor",
        "nachdem",
        "danach",
        "zuerst",
        "puis",
        "avant",
        "après",
        "ensuite",
        "luego",
        "antes",
        "después",
        "cause",
        "causes",
        "caused",
        "because",
        "weil",
        "therefore",
    ]
)
"""Words that make it matter what is said first."""

Figure = tuple[float, ...]
"""A number, with all that it may mean."""


class Sense(Struct, frozen=True, gc=False, kw_only=True):
    """What a text claims."""

    words: tuple[str, ...]
    """Those that say something, in small letters and in order, each once."""
    sequence: bool
    """What is said first matters."""
    polar: frozenset[str]
    """Those that have an opposite, small words among them."""
    figures: tuple[Figure, ...]
    """Numbers in digits and in words, and the months of dates, in order."""
    written: tuple[str, ...]
    """As they stand there."""
    rough: tuple[float, ...]
    """By how much each of them may be rounded."""
    units: tuple[str, ...]
    """What each of them counts; "" where nothing is known."""
    cited: frozenset[str]
    """The passages that it cites."""
    denials: int
    lead: str
    """"yes" or "no" if it begins so."""
    length: int
    """In words."""


def has_more_words(text: str, most: int) -> bool:
    """Whether a text has more than so many words: quick to know, however long it is."""
    return next(islice(_WORD.finditer(text), most, None), None) is not None


def sense_of(text: str) -> Sense:
    """What a text claims."""
    cited = frozenset(_CITED.findall(text))
    text = _NUMBERING.sub(" ", _CITED.sub(" ", text))
    tokens = [token.lower().replace("’", "'") for token in _WORD.findall(text)]
    found = sorted(_figures(text), key=lambda figure: figure[0])
    denials = sum(token in NEGATIONS or token.endswith("n't") for token in tokens)
    lead = tokens[0] if tokens else ""
    words = [
        token
        for token in tokens
        if not is_small(token) and token not in NEGATIONS and not token.endswith("n't")
        and token not in SPELLED and token not in UNITS and token not in MONTHS
    ]  # fmt: skip
    return Sense(
        words=tuple(dict.fromkeys(words)),
        sequence=not SEQUENCE.isdisjoint(tokens),
        polar=_POLAR.intersection(tokens),
        figures=tuple([values for _, _, values, _, _ in found]),
        written=tuple([written for _, written, _, _, _ in found]),
        rough=tuple([rough for _, _, _, rough, _ in found]),
        units=tuple([unit for _, _, _, _, unit in found]),
        cited=cited,
        denials=denials,
        lead="yes" if lead in YES else "no" if lead in NO else "",
        length=len(tokens),
    )


def difference(one: Sense, other: Sense, asked: Sequence[Figure] = ()) -> str:
    """The first thing in which two texts plainly differ, for people; "" if there is none.

    Args:
        one: what a text claims.
        other: what another does.
        asked: the figures of what both answer. If they share one that is new, either may leave out these.
    """
    if one.lead and other.lead and one.lead != other.lead:
        return f"one says {one.lead}, the other {other.lead}"
    known = asked if any(not unmatched([new], other.figures) for new in unmatched(one.figures, asked)) else ()
    missing = unmatched(one.figures, (*other.figures, *known)) or unmatched(
        other.figures, (*one.figures, *known)
    )
    if missing:
        return f"the figure {written_as(missing[0], one, other)} is in one of them only"
    if counted := miscounted(one, other):
        return f"one counts {counted[0]}s, the other {counted[1]}s"
    if one.cited != other.cited:
        return "they cite different passages"
    if one.denials != other.denials:
        return "one denies what the other does not"
    if turned := opposed(one, other):
        return f"one says “{turned[0]}”, the other “{turned[1]}”"
    if not in_step(one.figures, other.figures):
        return "the same figures stand in another order"
    return ""


def miscounted(one: Sense, other: Sense) -> tuple[str, str] | None:
    """What the same figure counts in each of two texts, where that differs: two days, two weeks."""
    for figure, unit in zip(one.figures, one.units, strict=True):
        partners = [
            counted for at, counted in zip(other.figures, other.units, strict=True) if same_figure(figure, at)
        ]
        if (
            unit in _KNOWN_UNITS
            and partners
            and unit not in partners
            and all(p in _KNOWN_UNITS for p in partners)
        ):
            return unit, partners[0]
    return None


def written_as(figure: Figure, *senses: Sense) -> str:
    """How a figure is written in the first text that has it."""
    return next(
        text
        for sense in senses
        for at, text in zip(sense.figures, sense.written, strict=True)
        if at == figure
    )


def opposed(one: Sense, other: Sense) -> tuple[str, str] | None:
    """A word of one and its contrary in the other, if either stands in one of them only."""
    mine = [word for word in (*one.words, *one.polar) if word not in other.words and word not in other.polar]
    theirs = [
        word for word in (*other.words, *other.polar) if word not in one.words and word not in one.polar
    ]
    return next(((a, b) for a in mine for b in theirs if contrary(a, b)), None)


def contrary(one: str, other: str) -> bool:
    """Whether two words in small letters are known to be opposites."""
    if frozenset((one, other)) in OPPOSITES:
        return True
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return any(long == turning + short for turning in _TURNING) or (
        short.endswith("ful") and long.endswith("less") and short[:-3] == long[:-4]
    )


def unmatched(figures: Iterable[Figure], known: Sequence[Figure]) -> list[Figure]:
    """The figures that no known one can be."""
    return [figure for figure in figures if not any(same_figure(figure, one) for one in known)]


def same_figure(one: Figure, other: Figure) -> bool:
    """Whether two numbers can be one."""
    return any(isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a in one for b in other)


def lacking(words: Iterable[str], known: Sequence[str]) -> list[str]:
    """The words that stand in no form among the known ones."""
    return [word for word in words if not any(word == one or alike(word, one) for one in known)]


def in_order(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the words that both have stand in the same order."""
    both = [word for word in one if word in other]
    return both == [word for word in other if word in one]


def turned(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the words that both have stand in the same order, or one begins with what the other ends with.

    "Today the train leaves from platform seven", "The train leaves from platform seven today". Who does what to whom cannot be turned
    round in that way; which of two things comes first can, so a text that tells of a sequence has to keep to its order.
    """
    both = [word for word in one if word in other]
    there = [word for word in other if word in one]
    if both == there:
        return True
    if len(both) < LEAST_TURNED:
        return False
    at = there.index(both[0])
    return both == there[at:] + there[:at]


def in_step(one: Sequence[Figure], other: Sequence[Figure]) -> bool:
    """Whether figures that all have a partner stand in the same order, repetitions left out."""
    last = -1
    for place in [next((at for at, b in enumerate(other) if same_figure(a, b)), -1) for a in one]:
        if place < 0:
            continue
        if place < last:
            return False
        last = place
    return True


@cache
def _day_pattern() -> re.Pattern[str]:
    """It takes 30 ms to compile, and many a gate compares no answers."""
    return re.compile(_DAY, re.IGNORECASE)


def _figures(text: str) -> Iterable[tuple[int, str, Figure, float, str]]:
    """Every figure: where and how it is written, what it may mean, by how much it may be rounded, what it counts."""
    days = _day_pattern()
    for found in days.finditer(text):
        yield found.start(), found[0], _day(found), 0.0, "day"
    text = days.sub(lambda found: " " * len(found[0]), text)
    for number in find_numbers(text):
        values = tuple([value for value, _ in number.values])
        unit = "%" if number.written.endswith("%") else _unit(text, number.start, number.end)
        yield number.start, number.written, values, max(tolerance for _, tolerance in number.values), unit
    for word in _WORD.finditer(text):
        value = SPELLED.get(word[0].lower())
        if value is not None:
            yield word.start(), word[0], (value,), 0.0, _unit(text, word.start(), word.end())
    for found in _MONTH_OF_DATE.finditer(text):
        at = 1 if found[1] else 2
        month = MONTHS.get(found[at].lower())
        if month is not None:
            yield found.start(at), found[at], (month,), 0.0, "month"


def _day(found: "re.Match[str]") -> Figure:
    """A date as one number, 20240301; 3/4/2024 may be either of two days."""
    if found["y"]:
        return (_packed(found["y"], found["m"], found["d"]),)
    if found["year"]:
        one, other, year = found["a"], found["b"], found["year"]
        days = [_packed(year, other, one)] if int(other) <= 12 else []
        return tuple(
            days + ([_packed(year, one, other)] if found["mark"] == "/" and int(one) <= 12 else [])
        ) or (0.0,)
    year, month, day = (
        found["year2"] or found["year3"],
        found["month"] or found["month3"],
        found["day"] or found["day3"],
    )
    return (_packed(year, MONTHS[month.lower()], day),)


def _packed(year: str, month: str | float, day: str) -> float:
    return int(year) * 10_000.0 + int(month) * 100 + int(day)


def _unit(text: str, start: int, end: int) -> str:
    """What stands around a number: a known unit, else the word after it."""
    before = text[max(0, start - 1) : start]
    if before in UNITS:
        return UNITS[before]
    following = re.match(r"[ \u00a0-]?(%|€|\$|£|[^\W\d_]+)", text[end : end + 30])
    word = following[1].lower() if following else ""
    return UNITS.get(word, "" if is_small(word) else word)
