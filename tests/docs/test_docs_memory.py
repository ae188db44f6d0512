"""The figures of the page about memory are those that the code computes."""

from docs_pages import DOCS, rows, section

from headgate.config.catalogue import known_models
from headgate.core.fit import CLASSES
from headgate.core.memory import GIB, kv_bytes, kv_per_token

PAGE = DOCS / "memory.md"


def test_the_table_of_caches_is_what_is_computed():
    told = [cells for cells in rows(section(PAGE, "## What a model takes")) if cells[0].startswith("`")]
    assert len(told) == 8
    for cells in told:
        shape = known_models().models[cells[0].strip("`")].shape_in()
        figures = (kv_per_token(shape) / 1024, kv_bytes(shape, 8192, 4) / GIB, kv_bytes(shape, 131072) / GIB)
        assert cells[1:] == [f"{figure:g}" for figure in figures]


def test_the_classes_of_the_page_are_those_of_the_code():
    said = [f"{size // 1024}K" for size in CLASSES]
    assert f"{', '.join(said[:-1])} and {said[-1]} tokens" in " ".join(
        PAGE.read_text(encoding="utf-8").split()
    )
