"""What prompts have in common: openings that many share, questions that are nearly the same, and folds that keep those together.

    bodies = without_openings(prompts, openings(prompts))
    groups = near_identical(bodies)
    for fit, test in folds(groups, 5, seed): …

Benchmarks put the same examples before each question (few-shot). Such an opening is found from the prompts alone: a common beginning of
at least OPENING characters that MANY prompts share. It knows no benchmark.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from os.path import commonprefix

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

OPENING = 200
"""Characters that a common beginning has at least."""
MANY = 5
"""Prompts that share one at least."""
SAME = 0.9
"""The cosine of weighed words from which two questions are nearly the same."""
WORD = r"\w+"
BLOCK = 500
"""Questions compared at once."""

Rows = npt.NDArray[np.intp]


def openings(prompts: Sequence[str]) -> tuple[str, ...]:
    """Beginnings that many prompts share, longest first; each ends with a line."""
    found: Counter[str] = Counter()
    ordered = sorted(set(prompts))
    for left, right in pairwise(ordered):
        common = commonprefix((left, right))  # noqa: RUF071  # letters are what is meant
        cut = common.rfind("\n") + 1
        if cut >= OPENING:
            found[common[:cut]] += 1
    shared = [
        each for each in found if sum(many for other, many in found.items() if other.startswith(each)) >= MANY
    ]
    return tuple(sorted(shared, key=len, reverse=True))


def without_openings(prompts: Sequence[str], known: Sequence[str]) -> list[str]:
    """Each prompt without the longest of the known beginnings that it has, if anything is left."""
    bodies = []
    for prompt in prompts:
        opening = next((each for each in known if prompt.startswith(each) and len(prompt) > len(each)), "")
        bodies.append(prompt[len(opening) :])
    return bodies


def near_identical(bodies: Sequence[str]) -> Rows:
    """The number of each question's group: those that are nearly the same, directly or by way of others, share one."""
    try:
        weighed = TfidfVectorizer(
            sublinear_tf=True, max_df=0.1, token_pattern=WORD, dtype=np.float32
        ).fit_transform(bodies)
    except ValueError:  # every word is in every question, or there is none
        return np.unique(np.array(bodies), return_inverse=True)[1].astype(np.intp)
    # Copies of one question can have no word that fewer than a tenth have: then the cosine does not tell.
    first: dict[str, int] = {}
    copies = [first.setdefault(" ".join(body.lower().split()), row) for row, body in enumerate(bodies)]
    pairs_left: list[Rows] = [np.arange(len(bodies))]
    pairs_right: list[Rows] = [np.array(copies, dtype=np.intp)]
    for start in range(0, len(bodies), BLOCK):
        near = (weighed[start : start + BLOCK] @ weighed.T).tocoo()
        close = near.data >= SAME
        pairs_left.append(near.row[close] + start)
        pairs_right.append(near.col[close])
    left, right = np.concatenate(pairs_left), np.concatenate(pairs_right)
    links = csr_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(bodies), len(bodies)))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.intp)


def folds(groups: Rows, many: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows to fit on and rows to test on, `many` times, each row tested once and no group on both sides."""
    names, where = np.unique(groups, return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(names)) % many
    for fold in range(many):
        tested = fold_of[where] == fold
        yield np.flatnonzero(~tested), np.flatnonzero(tested)


def by_task(tasks: Sequence[str]) -> Iterator[tuple[str, Rows, Rows]]:
    """Every kind of task with the rows of all others and its own rows."""
    kinds = np.array(tasks)
    for task in sorted(set(tasks)):
        yield task, np.flatnonzero(kinds != task), np.flatnonzero(kinds == task)
