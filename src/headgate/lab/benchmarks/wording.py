"""Prompts as numbers: sparse features of their words and letters, their directions (LSA), and a few plain figures.

    wording = Wording().learn(bodies); view = wording.read(bodies)

The vocabulary and the directions are those of the prompts it was fitted on; nothing is shipped and no word is known beforehand. It does
not know what any model scored.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float64]

MOST = 40_000
"""Different words, and pieces of words, that are kept."""
DIRECTIONS = 100
"""Of the sparse features (LSA)."""
READ_AT_MOST = 6_000
"""Characters of a prompt that are read, from its end: the question stands last."""
PLAIN_WEIGHT = 0.1
"""Of a plain figure of deviation 1 beside words, whose rows have length 1."""

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_LISTED = re.compile(r"^\s*(?:[A-Z]|\d+|[-*])[.)]?\s", re.MULTILINE)


class View(Struct, frozen=True):
    """Prompts as numbers: a row a prompt."""

    sparse: "sparse.csr_matrix"
    """Words, pieces of words and the plain figures together."""
    dense: Floats
    """Plain figures and directions."""
    directions: Floats
    """Of length 1 each, so that a product is a cosine; a prompt of unknown words has length 0."""
    known: Floats
    """The share of each prompt's words that the fit part has seen, 0 to 1."""


class Wording:
    """Features of prompts, fitted on some of them."""

    def __init__(self, seed: int) -> None:
        self._words = TfidfVectorizer(
            sublinear_tf=True,
            min_df=2,
            ngram_range=(1, 2),
            token_pattern=r"\w+|[^\w\s]",
            max_features=MOST,
            dtype=np.float32,
        )
        self._pieces = TfidfVectorizer(
            sublinear_tf=True,
            min_df=3,
            analyzer="char_wb",
            ngram_range=(3, 4),
            max_features=MOST,
            dtype=np.float32,
        )
        self._seed = seed
        self._scale = StandardScaler()

    def learn(self, bodies: Sequence[str]) -> "Wording":
        """Fit on these prompts."""
        texts = [body[-READ_AT_MOST:] for body in bodies]
        words, pieces = self._words.fit_transform(texts), self._pieces.fit_transform(texts)
        both = sparse.hstack([words, pieces]).tocsr()
        many = max(2, min(DIRECTIONS, both.shape[0] // 8, both.shape[1] - 1))
        self._directions = TruncatedSVD(many, n_iter=3, random_state=self._seed).fit(both)
        self._scale.fit(plain_figures(texts))
        self._vocabulary = {word for word in self._words.vocabulary_ if " " not in word}
        return self

    def read(self, bodies: Sequence[str]) -> View:
        """These prompts as numbers."""
        texts = [body[-READ_AT_MOST:] for body in bodies]
        both = sparse.hstack([self._words.transform(texts), self._pieces.transform(texts)]).tocsr()
        plain = self._scale.transform(plain_figures(texts)).clip(-5, 5)
        along = self._directions.transform(both)
        length = np.linalg.norm(along, axis=1, keepdims=True)
        known = [
            sum(word in self._vocabulary for word in words) / len(words)
            if (words := set(_WORD.findall(text.lower())))
            else 0.0
            for text in texts
        ]
        return View(
            sparse=sparse.hstack([both, PLAIN_WEIGHT * plain]).tocsr(),
            dense=np.hstack([plain, along]),
            directions=along / np.maximum(length, 1e-9),
            known=np.array(known),
        )


def plain_figures(texts: Sequence[str]) -> Floats:
    """What can be counted in any text: lengths, numbers, signs, structure. (texts, figures)."""
    return np.array([_figures(text) for text in texts])


def _figures(text: str) -> tuple[float, ...]:
    """The figures of one text."""
    words = _WORD.findall(text)
    numbers = [
        float(written.replace(",", "")) for written in _NUMBER.findall(text) if written.count(".") <= 1
    ]
    size, many = len(text) + 1, len(words) + 1
    sentences = len(_SENTENCE_END.findall(text))
    return (
        np.log(size),
        np.log(many),
        sum(map(len, words)) / many,
        len({word.lower() for word in words}) / many,
        sum(len(word) > 9 for word in words) / many,
        len(numbers),
        len(set(numbers)),
        len(numbers) / many,
        np.log1p(min(max(numbers, default=0.0), 1e12)),
        sum(number != int(number) for number in numbers if number < 1e12),
        sentences,
        many / (sentences + 1),
        text.count("\n"),
        len(_LISTED.findall(text)),
        text.count("?"),
        text.count(","),
        text.count("%") + text.count("$"),
        sum(mark in "+-*/=^<>" for mark in text) / size,
        sum(mark in "(){}[]\\_" for mark in text) / size,
        sum(mark.isupper() for mark in text) / size,
        sum(mark.isdigit() for mark in text) / size,
        sum(not mark.isascii() for mark in text) / size,
    )
