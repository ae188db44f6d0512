"""Which prompts are nearly the same: they must not be on both sides when what was learned is tested.

What many prompts share is a template, and says nothing of whether two of them ask the same, so only the rarer words are compared. Each
prompt's rarer words are sketched by the least of several hashes (Broder, "On the resemblance and containment of documents", 1997);
prompts that share a band of their sketches are compared word by word, and are alike when they have most in common. So is what is alike
to those. A prompt that is all template is alike to those with exactly its words.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headgate.core.features import SLOTS

BANDS, WIDTH = 16, 8
"""Bands of the sketch, and hashes in each."""
ALIKE = 0.75
"""The share of their rarer words that two prompts must have in common."""
COMMON, OFTEN = 0.05, 10
"""Words are common that are in more than this share of all prompts, and in more than so many."""
LEAST = 4
"""Rarer words below which a prompt is all template."""


def groups_of(words: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """The number of each prompt's group. A prompt without words is by itself.

    Args:
        words: the slots of each prompt's words (`core.features`).
    """
    chance = np.random.default_rng(0)
    orders = np.stack([chance.permutation(SLOTS).astype(np.uint16) for _ in range(BANDS * WIDTH)])
    in_how_many = Counter([slot for slots in words for slot in slots])
    most = max(OFTEN, COMMON * len(words))
    rarer = [frozenset([slot for slot in slots if in_how_many[slot] <= most]) for slots in words]
    leader = list(range(len(words)))

    def lead(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    seen: dict[object, int] = {}
    for row, (slots, rare) in enumerate(zip(words, rarer, strict=True)):
        if len(rare) < LEAST:
            if slots:
                leader[lead(row)] = lead(seen.setdefault(frozenset(slots), row))
            continue
        sketch = orders[:, list(rare)].min(axis=1).reshape(BANDS, WIDTH)
        for band in range(BANDS):
            first = seen.setdefault((band, sketch[band].tobytes()), row)
            if len(rare & rarer[first]) >= ALIKE * len(rare | rarer[first]):
                leader[lead(row)] = lead(first)
    return np.array([lead(row) for row in range(len(words))], dtype=np.int64)
