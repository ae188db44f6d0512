"""Figures of papers, read from the folder: they are never part of this package.

`published_tables/routellm.csv` (benchmark, training, method, CPT50, CPT80, APGR) is the form that is read. It does not know how they
were measured.
"""

import csv
from pathlib import Path

from msgspec import Struct

TABLE = Path("published_tables", "routellm.csv")


class Published(Struct, frozen=True):
    """A row of a paper."""

    benchmark: str
    method: str
    apgr: float
    cpt50: float
    cpt80: float


def read_published(folder: Path) -> tuple[Published, ...]:
    """The rows of a folder's table; none where there is no table, and a row that cannot be read is left out."""
    try:
        with (folder / TABLE).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return ()
    read = []
    for row in rows:
        try:
            name = " ".join(part for part in (row["method"], row["training"]) if part)
            read.append(
                Published(
                    row["benchmark"], name, float(row["APGR"]), float(row["CPT50"]), float(row["CPT80"])
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(read)


def best_of(rows: tuple[Published, ...], name: str) -> Published | None:
    """The best figures on a set whose name holds that of the benchmark, each by whichever method had it."""
    plain = name.replace("-", "_").lower()
    fitting = [row for row in rows if row.benchmark and row.benchmark.lower() in plain]
    if not fitting:
        return None
    return Published(
        benchmark=fitting[0].benchmark,
        method="best of each measure",
        apgr=max(row.apgr for row in fitting),
        cpt50=min(row.cpt50 for row in fitting),
        cpt80=min(row.cpt80 for row in fitting),
    )
