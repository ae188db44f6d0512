"""docs/documents.md says what the code does."""

import re
from pathlib import Path

from headgate.documents.reading import FORMATS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "documents.md"


def test_the_page_names_every_format_with_its_limit():
    rows = re.findall(r"^\| (`\.[^|]+)\|.*\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    named = {ending: limit for endings, limit in rows for ending in re.findall(r"`(\.\w+)`", endings)}
    assert set(named) == set(FORMATS)
    for ending, limit in named.items():
        whole = FORMATS[ending].whole_mb
        assert limit.startswith("read piece by piece" if whole is None else f"{whole} MB"), ending
