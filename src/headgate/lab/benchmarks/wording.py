"""Prompts as numbers: words and pieces of words, by how rare they are and by how often they stand there; directions (LSA); plain figures.

    counted = count(bodies)                 once for a set: words and pieces of words by hash, no vocabulary
    wording = Wording(seed).learn(counted.take(fit)); view = wording.read(counted.take(test))

Rare words tell what a prompt is about: there a word weighs the more the rarer it is (idf), whatever the prompt's length. Usual words tell
how it is put, and how long it goes on: there only counts count. Which words are kept, what they weigh and what their directions are is
learned from the fit part; nothing is shipped and no word is known beforehand. It does not know what any model scored.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import StandardScaler

from headgate.core.errors import UsageError

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

SLOTS = 1 << 18
"""That words are hashed into, and pieces of words as well."""
MOST = 40_000
"""Different words, and pieces of words, that are kept."""
FEWEST = 2
"""Prompts of the fit part that have a word which is kept."""
COMMON = 8_000
"""Of them, the most frequent, from which directions are made."""
DIRECTIONS = 100
"""Of the sparse features (LSA)."""
READ_AT_MOST = 6_000
"""Characters of a prompt that are read, from its end: the question stands last."""
DIRECTION_WEIGHT = 5.0
"""Of a direction beside plain figures of deviation 1: what a prompt is about tells more than how long it is."""
PLAIN_WEIGHT = 0.1
"""Of a plain figure of deviation 1 beside words, whose rows have length 1."""

WORD_OR_SIGN = r"\w+|[^\w\s]"
"""A word, or a sign."""

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_LISTED = re.compile(r"^\s*(?:[A-Z]|\d+|[-*])[.)]?\s", re.MULTILINE)
_FORMULA, _BRACKETS, _CAPITALS = re.compile(r"[-+*/=^<>]"), re.compile(r"[(){}\[\]\\_]"), re.compile(r"[A-Z]")
_DIGIT, _BEYOND = re.compile(r"\d"), re.compile(r"[^\x00-\x7f]")


class Counted(Struct, frozen=True):
    """Prompts whose words are counted: a row a prompt."""

    words: "sparse.csr_matrix"
    """Words and pairs of neighbours, weighed by the logarithm of how often they stand there."""
    pieces: "sparse.csr_matrix"
    """Three and four letters in a row."""
    plain: Floats
    """Plain figures."""
    peers: Floats
    """What models of other sets are expected to score (`peers`): (prompts, those models), of which there may be none."""

    def take(self, rows: Rows) -> "Counted":
        """Some of the prompts."""
        return Counted(self.words[rows], self.pieces[rows], self.plain[rows], self.peers[rows])


class View(Struct, frozen=True):
    """Prompts as a fit part sees them: a row a prompt."""

    sparse: "sparse.csr_matrix"
    """Words and pieces of words, weighed by how rare they are; and the plain figures."""
    often: "sparse.csr_matrix"
    """How often each of these words and pieces stands there; and the plain figures."""
    dense: Floats
    """Plain figures and directions."""
    directions: Floats
    """Of length 1 each, so that a product is a cosine; a prompt of unknown words has length 0."""
    known: Floats
    """The share of each prompt's words and pairs that the fit part has seen, 0 to 1."""
    peers: Floats
    """As they were given."""

    def take(self, rows: Rows) -> "View":
        """Some of the prompts."""
        return View(
            sparse=self.sparse[rows],
            often=self.often[rows],
            dense=self.dense[rows],
            directions=self.directions[rows],
            known=self.known[rows],
            peers=self.peers[rows],
        )


def count(bodies: Sequence[str]) -> Counted:
    """Count what stands in prompts. Nothing is learned from them, and there are no peers yet."""
    texts = [body[-READ_AT_MOST:] for body in bodies]
    common = {"n_features": SLOTS, "norm": None, "alternate_sign": False, "dtype": np.float32}
    words = HashingVectorizer(ngram_range=(1, 2), token_pattern=WORD_OR_SIGN, **common).transform(texts)
    pieces = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), **common).transform(texts)
    for each in (words, pieces):
        each.data = 1 + np.log(each.data)
    return Counted(words, pieces, np.array([_figures(text) for text in texts]), np.empty((len(texts), 0)))


def together(parts: Sequence[Counted]) -> Counted:
    """Prompts of several parts, one after the other."""
    return Counted(
        sparse.vstack([part.words for part in parts]).tocsr(),
        sparse.vstack([part.pieces for part in parts]).tocsr(),
        np.concatenate([part.plain for part in parts]),
        np.concatenate([part.peers for part in parts]),
    )


class Wording:
    """How much words tell, by the prompts of a fit part."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def learn(self, counted: Counted) -> "Wording":
        """Fit on these prompts.

        Raises:
            UsageError: they have nothing in common.
        """
        self._words, self._pieces = Weighing(counted.words), Weighing(counted.pieces)
        self._common = np.concatenate([self._words.common, len(self._words.kept) + self._pieces.common])
        self._scale = StandardScaler().fit(counted.plain)
        common = self._both(counted)[:, self._common]
        if common.shape[1] < 2:
            raise UsageError(
                "hardly a word is in two of the prompts", "nothing can be learned from such prompts"
            )
        many = max(2, min(DIRECTIONS, common.shape[0] // 8, common.shape[1] - 1))
        self._directions = TruncatedSVD(many, n_iter=3, random_state=self._seed).fit(common)
        return self

    def read(self, counted: Counted) -> View:
        """These prompts as numbers."""
        both = self._both(counted)
        plain = self._scale.transform(counted.plain).clip(-5, 5)
        along = self._directions.transform(both[:, self._common])
        often = [self._words.often(counted.words), self._pieces.often(counted.pieces)]
        length = np.linalg.norm(along, axis=1, keepdims=True)
        return View(
            sparse=sparse.hstack([both, PLAIN_WEIGHT * plain]).tocsr(),
            often=sparse.hstack([*often, PLAIN_WEIGHT * plain]).tocsr(),
            dense=np.hstack([plain, DIRECTION_WEIGHT * along]),
            directions=along / np.maximum(length, 1e-9),
            known=self._words.known(counted.words),
            peers=counted.peers,
        )

    def _both(self, counted: Counted) -> "sparse.csr_matrix":
        """Words and pieces, weighed."""
        return sparse.hstack([self._words.weigh(counted.words), self._pieces.weigh(counted.pieces)]).tocsr()


class Weighing:
    """Which slots are kept, and what they weigh."""

    def __init__(self, counts: "sparse.csr_matrix") -> None:
        self._seen = np.bincount(counts.indices, minlength=counts.shape[1])
        often = np.flatnonzero(self._seen >= FEWEST)
        self.kept = often[np.argsort(-self._seen[often], kind="stable")[:MOST]]
        self.common = np.arange(min(COMMON, len(self.kept)))
        self._weight = np.log((1 + counts.shape[0]) / (1 + self._seen[self.kept])) + 1
        squares = np.asarray(counts[:, self.kept].power(2).sum(axis=1)).ravel()
        self._usual = max(float(np.sqrt(squares.mean())), 1e-9)

    def weigh(self, counts: "sparse.csr_matrix") -> "sparse.csr_matrix":
        """Prompts by what is kept of them, the rarer the more (idf); each row has length 1."""
        weighed = counts[:, self.kept].multiply(self._weight).tocsr()
        length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
        return sparse.diags(1 / np.maximum(length, 1e-9)) @ weighed

    def often(self, counts: "sparse.csr_matrix") -> "sparse.csr_matrix":
        """Prompts by how often what is kept stands there; a usual row has length 1, a longer prompt a longer one."""
        return counts[:, self.kept] / self._usual

    def known(self, counts: "sparse.csr_matrix") -> Floats:
        """The share of each prompt's slots that were seen at all."""
        there = counts.copy()
        there.data = (self._seen[there.indices] > 0).astype(np.float64)
        share = np.asarray(there.sum(axis=1)).ravel() / np.maximum(np.diff(counts.indptr), 1)
        return np.asarray(share, dtype=np.float64)


def _figures(text: str) -> tuple[float, ...]:
    """What can be counted in any text: lengths, numbers, signs, structure."""
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
        sum([len(word) > 9 for word in words]) / many,
        len(numbers),
        len(set(numbers)),
        len(numbers) / many,
        np.log1p(min(max(numbers, default=0.0), 1e12)),
        sum([number != int(number) for number in numbers if number < 1e12]),
        sentences,
        many / (sentences + 1),
        text.count("\n"),
        len(_LISTED.findall(text)),
        text.count("?"),
        text.count(","),
        text.count("%") + text.count("$"),
        len(_FORMULA.findall(text)) / size,
        len(_BRACKETS.findall(text)) / size,
        len(_CAPITALS.findall(text)) / size,
        len(_DIGIT.findall(text)) / size,
        len(_BEYOND.findall(text)) / size,
    )
