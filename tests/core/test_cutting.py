"""A text in parts: every word once, where it stood, and none larger than what fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.cutting import blocks_of, cut, name_spans


def words(text: str) -> int:
    return len(text.split())


PAGE = """# Meeting of 3 March

We talked about the launch. Anna thinks that it is too early.

## Decisions

- The launch is on 12 May.
- Tom writes the release notes.

```python
def f():

    return 1
```

| who | what |
|-----|------|
| Tom | notes |
| Eva | tests |
"""


@given(st.text(alphabet="ab #>|`.\n", max_size=400), st.integers(1, 40))
def test_no_word_is_lost_or_said_twice_but_the_head_of_a_table(text, most):
    spans = cut(text, most, words)
    whole = re.findall(r"\S+", text)
    parts = [word for span in spans for word in re.findall(r"\S+", span.text)]
    if "|" not in text:
        assert parts == whole
    else:
        assert set(parts) == set(whole)


@given(
    st.lists(st.sampled_from(["word", "another word.", "\n", "\n\n", "a b c d e f g"]), max_size=80),
    st.integers(2, 30),
)
def test_no_part_is_larger_than_what_fits(pieces, most):
    assert all(words(span.text) <= most for span in cut(" ".join(pieces), most, words))


def test_a_part_says_in_which_lines_it_stood():
    text = "\n".join(f"line {number} has six words here" for number in range(1, 31))
    spans = cut(text, 60, words)
    assert [(span.line, span.last_line) for span in spans] == [(1, 10), (11, 20), (21, 30)]
    again = cut(spans[1].text, 30, words, first_line=spans[1].line)
    assert (again[0].line, again[-1].last_line) == (11, 20), "cut again, its lines are still the text's"


@pytest.mark.parametrize("paragraphs", [21, 22, 26, 39, 41, 45])
def test_the_parts_are_about_equally_large(paragraphs):
    sizes = [span.tokens for span in cut("\n\n".join(["one two three four five"] * paragraphs), 100, words)]
    assert len(sizes) == -(-paragraphs * 5 // 100)
    assert min(sizes) >= 0.75 * max(sizes), "and none is a remnant"


def test_headings_fences_and_tables_are_seen_as_what_they_are():
    assert [(block.kind, block.level, block.line, block.last_line) for block in blocks_of(PAGE)] == [
        ("heading", 1, 1, 1),
        ("text", 0, 3, 3),
        ("heading", 2, 5, 5),
        ("text", 0, 7, 8),
        ("code", 0, 10, 14),
        ("table", 0, 16, 19),
    ]


def test_a_fence_that_is_never_closed_holds_the_rest():
    assert [block.kind for block in blocks_of("text\n```\ncode\n\nmore")] == ["text", "text"]


def test_places_are_named_by_tokens_and_lines():
    spans = cut("\n".join(["two words"] * 1200), 1200, words)
    assert name_spans(spans) == [
        "tokens 1–1,200 of 2,400 (lines 1–600)",
        "tokens 1,201–2,400 of 2,400 (lines 601–1,200)",
    ]
    assert name_spans(cut("one line", 10, words)) == ["tokens 1–2 of 2 (line 1)"]
