"""The words, models, prices and variants that rows point to by number.

A word is written once and then named by its number. Sentences (a verdict's reason, a failure's detail) are numbered
when they are seen for the second time: what repeats becomes a number, what is unique stays in its own row, and the
dictionary cannot grow with the traffic.

Owned by the writer's thread. It does not know transactions: the writer says `keep` after a commit and `forget` after a
rollback, so that no number is remembered that was never stored.
"""

import sqlite3
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar

from headgate.core.types import Model
from headgate.ledger.cells import CallVariant, Facet, Variant
from headgate.ledger.prices import COLUMNS, price_row
from headgate.ledger.schema import NOTHING

LONGEST: Final = 300
"""Characters kept of a sentence. An engine's error may quote the whole prompt; a ledger row must not."""
SHARED_LENGTH: Final = 2_000
"""Characters of the longest text that is numbered."""
SHARED_AT_MOST: Final = 20_000
"""Texts that are numbered because they repeat; later ones are written in full."""
SEEN_AT_MOST: Final = 8_192
"""Texts remembered as seen once."""
TOLD_AT_MOST: Final = 2_048
"""Stories remembered by what they tell."""

ModelRow = tuple[
    str, str | None, str | None, str | None, str | None, bool | None, str | None, str | None, int | None
]


What = TypeVar("What", bound=Hashable)


class Numbers(dict[What, int]):
    """Numbers by word, say. `numbers[word]` gives a new word its number; finding a known one costs no call."""

    def __init__(self, give: Callable[[What], int], known: Iterable[tuple[What, int]] = ()) -> None:
        super().__init__(known)
        self._give = give

    def __missing__(self, what: What) -> int:
        number = self[what] = self._give(what)
        return number


class Dimensions:
    """The numbers of words, models, prices and variants in one ledger.

    Attributes:
        names: the numbers of words.
        models: the numbers of models, as they are described now.
        variants: how requests are counted, by their facet's fields and then those of `Variant`, None or `NOTHING` for none.
        call_variants: how calls are counted, likewise by the fields of `CallVariant`.
        local: the models that are known to run on the user's own machines.
        told: stories that are told in numbers alone, by what they tell.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._described: dict[str, Model] = {}
        known = db.execute("SELECT text, id FROM names").fetchall()
        self.names: Numbers[str] = Numbers(self._name, known)
        self.models: Numbers[str] = Numbers(self._model)
        self.variants: Numbers[tuple[int | None, ...]] = Numbers(self._variant)
        self.call_variants: Numbers[tuple[int | None, ...]] = Numbers(self._call_variant)
        self.local: frozenset[str] = frozenset()
        self.told: dict[Hashable, str] = {}
        self._seen: set[str] = set()
        self._shared = len(known)
        self._new_names: list[str] = []
        self._new_models: list[str] = []

    def describe(self, models: Iterable[Model]) -> None:
        """From now on, these are the models' descriptions and prices."""
        self._described.update({model.name: model for model in models})
        self.local = frozenset(model.name for model in self._described.values() if model.local)
        self.models.clear()
        self.told.clear()

    def remember(self, what: Hashable, story: str) -> None:
        """Find this story by what it tells, from now on until a number in it changes."""
        if len(self.told) >= TOLD_AT_MOST:
            self.told.clear()
        self.told[what] = story

    def sentence(self, text: str) -> int | str:
        """A sentence, cut to `LONGEST` characters, as its number or itself; 0 for none."""
        return self.share(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")

    def share(self, text: str) -> int | str:
        """The number of a text that repeats, or the text itself; 0 for none."""
        if not text:
            return 0
        found = self.names.get(text)
        if found is not None:
            return found
        if len(text) > SHARED_LENGTH or self._shared >= SHARED_AT_MOST:
            return text
        if text in self._seen:
            self._shared += 1
            return self.names[text]
        if len(self._seen) >= SEEN_AT_MOST:
            self._seen.clear()
        self._seen.add(text)
        return text

    def keep(self) -> None:
        """What was numbered since the last time has been stored."""
        self._new_names.clear()
        self._new_models.clear()

    def forget(self) -> None:
        """What was numbered since the last time has not been stored."""
        for text in self._new_names:
            self.names.pop(text, None)
        for name in self._new_models:
            self.models.pop(name, None)
        self.variants.clear()
        self.call_variants.clear()
        self.told.clear()
        self.keep()

    def _name(self, text: str) -> int:
        row = self._db.execute(
            "SELECT id FROM names WHERE text = ?", (text,)
        ).fetchone()  # another gate's, perhaps
        if row is None:
            row = (self._db.execute("INSERT INTO names (text) VALUES (?)", (text,)).lastrowid,)
        self._new_names.append(text)
        return int(row[0])

    def _model(self, name: str) -> int:
        number = self._find_or_add("models", self._model_row(name))
        self._new_models.append(name)
        return number

    def _variant(self, told: tuple[int | None, ...]) -> int:
        fields = len(Facet._fields)
        facet = Facet(*map(_known, told[:fields]))
        if told[Facet._fields.index("fallback_limit")] in (None, NOTHING):
            facet = facet._replace(fallback_limit=-1)
        return self._find_or_add(
            "variants", (self._find_or_add("facets", facet), *map(_known, told[fields:]))
        )

    def _call_variant(self, told: tuple[int | None, ...]) -> int:
        return self._find_or_add("call_variants", tuple(map(_known, told)))

    def _model_row(self, name: str) -> ModelRow:
        model = self._described.get(name)
        if model is None:
            return (name, None, None, None, None, None, None, None, None)
        price = None if model.price is None else self._find_or_add("prices", price_row(model.price))
        return (
            model.name,
            model.engine,
            model.engine_kind,
            model.id,
            model.kind,
            model.local,
            model.display,
            model.label,
            price,
        )

    def _find_or_add(self, table: str, row: tuple[Any, ...]) -> int:
        columns = _COLUMNS[table]
        same = " AND ".join(f"{column} IS ?" for column in columns)
        found = self._db.execute(f"SELECT id FROM {table} WHERE {same}", row).fetchone()  # noqa: S608 - our own names
        if found:
            return int(found[0])
        marks = ", ".join("?" * len(columns))
        added = self._db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)  # noqa: S608 - as above
        return int(added.lastrowid or 0)


def _known(number: int | None) -> int:
    return 0 if number is None or number == NOTHING else int(number)


_COLUMNS: Final = {
    "models": ("name", "engine", "engine_kind", "engine_id", "kind", "local", "display", "label", "price"),
    "prices": COLUMNS,
    "facets": Facet._fields,
    "variants": Variant._fields,
    "call_variants": CallVariant._fields,
}
