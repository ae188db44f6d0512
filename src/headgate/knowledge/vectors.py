"""Which chunks are most like a question, by their vectors.

    up to 20,000 chunks    every vector is compared, exactly (numpy)
    above                  every vector is compared in one byte a number (usearch's scan), the best 200 then exactly

Nothing here is approximate in the way a graph is: there is nothing to tune, and deleted chunks cost nothing. Figures for both
stand in docs/knowledge.md. The rough vectors of a large base are kept beside it, stamped with its version, so that a
command need not make them anew. It does not know how texts become vectors.
"""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headgate.core.errors import EngineError, UsageError
from headgate.knowledge.places import index_of
from headgate.knowledge.store import Base

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EXACT: Final = 20_000
"""Chunks up to which every vector is compared in full."""
AGAIN: Final = 100
"""Of a large base, how many of the likest are compared in full."""
BLOCK: Final = 4096
"""Vectors that are made rough at a time."""
THREADS: Final = 4
"""For one scan, at most."""
FULL: Final = 127
"""The largest value of a rough number."""
EXTRA: Final = 'pip install "headgate[knowledge]"'


def missing_extra() -> str:
    """Which package of the extra is not installed; "" when all are."""
    return next((name for name in ("numpy", "usearch") if find_spec(name) is None), "")


def stored(vectors: list[bytes], dimensions: int | None) -> list[bytes]:
    """Vectors of little-endian float32 as they are kept: of length 1, as float16, which changes no order worth the name.

    Raises:
        EngineError: a vector is of another length than the others of its model, or has none.
    """
    import numpy as np  # noqa: PLC0415  # of the extra

    kept = []
    for vector in vectors:
        numbers = np.frombuffer(vector, dtype="<f4")
        if dimensions is not None and len(numbers) != dimensions:
            raise EngineError(
                f"the embedding model gave a vector of {len(numbers)} numbers, where it gave {dimensions} before",
                "headgate kb sync NAME --rebuild embeds everything again",
            )
        kept.append(of_length_one(numbers).astype("<f2").tobytes())
    return kept


def mean(parts: list[bytes]) -> bytes:
    """The direction between those of the parts of a text, as little-endian float32."""
    import numpy as np  # noqa: PLC0415  # of the extra

    sides = [of_length_one(np.frombuffer(part, dtype="<f4")) for part in parts]
    return bytes(np.mean(sides, axis=0, dtype="<f4").tobytes())


def of_length_one(numbers: "Array") -> "Array":
    """The vector with its direction and the length 1; a zero stays one."""
    import numpy as np  # noqa: PLC0415  # of the extra

    return numbers / (float(np.linalg.norm(numbers)) or 1.0)


class Vectors:
    """The vectors of one base in memory, as they were at one version of it.

    Args:
        version: of the base.
        ids: of the chunks, one for each row.
        matrix: the vectors, in full (float32) or rough (int8).
    """

    def __init__(self, version: int, ids: "Array", matrix: "Array") -> None:
        self.version = version
        self.ids = ids
        self.matrix = matrix

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return self.ids.nbytes + self.matrix.nbytes

    @property
    def exact(self) -> bool:
        """Whether each vector is compared in full at once."""
        return self.matrix.itemsize > 1

    def like(self, base: Base, question: bytes, at_most: int) -> list[tuple[int, float]]:
        """The likest chunks, best first: id and cosine.

        Args:
            base: the base at this version.
            question: its vector as little-endian float32.
            at_most: how many.

        Raises:
            UsageError: the question's vector is of another length.
        """
        import numpy as np  # noqa: PLC0415  # of the extra

        if not len(self.ids):
            return []
        asked = np.frombuffer(question, dtype="<f4")
        if len(asked) != self.matrix.shape[1]:
            raise UsageError(
                f"the question's vector has {len(asked)} numbers, those of {base.name} have {self.matrix.shape[1]}",
                f"headgate kb sync {base.name} --rebuild",
            )
        compare = self._compare if self.exact else self._scan
        ids, likeness = compare(base, of_length_one(asked), min(at_most, len(self.ids)))
        best = np.argsort(-likeness, kind="stable")[:at_most]
        return [(int(ids[one]), float(likeness[one])) for one in best]

    def _compare(self, _: Base, asked: "Array", at_most: int) -> "tuple[Array, Array]":
        """Every vector in full."""
        import numpy as np  # noqa: PLC0415  # of the extra

        likeness = self.matrix @ asked
        best = np.argpartition(likeness, -at_most)[-at_most:]
        return self.ids[best], likeness[best]

    def _scan(self, base: Base, asked: "Array", at_most: int) -> "tuple[Array, Array]":
        """Every rough vector, then the likest of them in full, as the base has them."""
        import numpy as np  # noqa: PLC0415  # of the extra
        from usearch.index import search  # noqa: PLC0415  # of the extra

        again = min(max(AGAIN, at_most), len(self.ids))
        near = search(self.matrix, rough(asked[None])[0], again, exact=True, threads=threads())
        found = base.vectors_of([int(self.ids[int(key)]) for key in near.keys])
        ids = np.array([one for one, _ in found], dtype="i8")
        full = np.frombuffer(b"".join(vector for _, vector in found), dtype="<f2").reshape(len(found), -1)
        return ids, full.astype("f4") @ asked


def load(base: Base) -> Vectors:
    """The vectors of a base as it is now. The caller sees to it that the base does not change meanwhile (`snapshot`)."""
    import numpy as np  # noqa: PLC0415  # of the extra

    version, place = base.version, index_of(base.path)
    kept = read(place, version)
    if kept is not None:
        return kept
    ids: list[int] = []
    parts: list[Array] = []
    for block in batched(base.vectors(), BLOCK):
        full = (
            np.frombuffer(b"".join(vector for _, vector in block), dtype="<f2")
            .reshape(len(block), -1)
            .astype("f4")
        )
        if len(ids) <= EXACT < len(ids) + len(block):
            parts = [rough(part) for part in parts]
        ids.extend(number for number, _ in block)
        parts.append(full if len(ids) <= EXACT else rough(full))
    matrix = np.concatenate(parts) if parts else np.empty((0, base.dimensions or 0), dtype="f4")
    made = Vectors(version, np.array(ids, dtype="i8"), matrix)
    if made.exact:
        shutil.rmtree(place, ignore_errors=True)
    else:
        write(place, made)
    return made


def batched(rows: Iterator[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    """Rows in lists of `size`, the last as long as it is."""
    while block := list(islice(rows, size)):
        yield block


def rough(full: "Array") -> "Array":
    """Vectors as whole numbers of one byte, each stretched to its own largest number: a cosine does not mind the length."""
    import numpy as np  # noqa: PLC0415  # of the extra

    largest = np.abs(full).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    numbers: Array = np.rint(full * (FULL / largest)).astype("i1")
    return numbers


def threads() -> int:
    """Threads for a scan, which is over in a few milliseconds."""
    return min(THREADS, os.cpu_count() or 1)


def read(place: Path, version: int) -> Vectors | None:
    """The index that is kept at a place, if it is of this version."""
    import numpy as np  # noqa: PLC0415  # of the extra

    try:
        if int((place / "version").read_text(encoding="ascii")) != version:
            return None
        return Vectors(version, np.load(place / "ids.npy"), np.load(place / "rough.npy"))
    except (OSError, ValueError):
        return None


def write(place: Path, made: Vectors) -> None:
    """Keep an index; where that fails, it is made anew the next time."""
    import numpy as np  # noqa: PLC0415  # of the extra

    fresh = place.with_suffix(f".index-{os.getpid()}")
    try:
        fresh.mkdir()
        np.save(fresh / "ids.npy", made.ids)
        np.save(fresh / "rough.npy", made.matrix)
        (fresh / "version").write_text(str(made.version), encoding="ascii")
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
