"""Which prompts are nearly the same: they must not be on both sides when what was learned is tested.

Each prompt's words are sketched by the least of several hashes (Broder, "On the resemblance and containment of documents", 1997);
prompts that share a band of their sketches are taken to be alike, and so is what is alike to those. Prompts that share nine tenths of
their words are found nearly always, those that share half of them hardly ever.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headgate.core.features import SLOTS

BANDS, WIDTH = 16, 8
"""Bands of the sketch, and hashes in each."""


def groups_of(words: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """The number of each prompt's group. A prompt without words is by itself.

    Args:
        words: the slots of each prompt's words (`core.features`).
    """
    chance = np.random.default_rng(0)
    orders = np.stack([chance.permutation(SLOTS).astype(np.uint16) for _ in range(BANDS * WIDTH)])
    leader = list(range(len(words)))

    def lead(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    seen: dict[tuple[int, bytes], int] = {}
    for row, slots in enumerate(words):
        if not len(slots):
            continue
        sketch = orders[:, list(slots)].min(axis=1).reshape(BANDS, WIDTH)
        for band in range(BANDS):
            first = seen.setdefault((band, sketch[band].tobytes()), row)
            leader[lead(row)] = lead(first)
    return np.array([lead(row) for row in range(len(words))], dtype=np.int64)
