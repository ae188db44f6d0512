"""Documents in chunks: nothing lost, nothing torn without need, headings known."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.blocks import Block
from headgate.core.chunking import Chunk, chunks
from headgate.core.tokens import estimate

WORDS = st.text(alphabet="abcdeé", min_size=1, max_size=12)
SENTENCES = st.lists(WORDS, min_size=1, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=8).flatmap(
    lambda sentences: st.sampled_from([" ", "\n", "  "]).map(lambda between: between.join(sentences))
)
TABLES = st.lists(st.lists(WORDS, min_size=2, max_size=2).map(" | ".join), min_size=1, max_size=20).map(
    "\n".join
)
CODE = st.lists(
    st.tuples(st.sampled_from(["", "  ", "\t"]), WORDS).map("".join), min_size=1, max_size=20
).map("\n".join)
BLOCKS = st.lists(
    st.one_of(
        st.builds(
            lambda text, level: Block(kind="heading", text=text, level=level), WORDS, st.integers(1, 4)
        ),
        st.builds(lambda text: Block(kind="text", text=text), PARAGRAPHS),
        st.builds(lambda text: Block(kind="quote", text=text), PARAGRAPHS),
        st.builds(lambda text: Block(kind="table", text=text), TABLES),
        st.builds(lambda text: Block(kind="code", text=text), CODE),
    ),
    max_size=15,
).map(tuple)


def text(said: str, line: int | None = None) -> Block:
    last = None if line is None else line + said.count("\n")
    return Block(kind="text", text=said, line=line, last_line=last)


def heading(said: str, level: int = 1) -> Block:
    return Block(kind="heading", text=said, level=level)


def fresh(chunk: Chunk) -> str:
    return chunk.text[chunk.repeated :]


def sentence(word: str, words: int = 10) -> str:
    return " ".join([word.capitalize()] + [word] * (words - 1)) + "."


@settings(max_examples=300, deadline=None)
@given(BLOCKS, st.integers(1, 120), st.floats(0, 0.5))
def test_the_words_of_a_document_are_in_its_chunks_in_order_and_once(blocks, size, share):
    found = chunks(blocks, size, overlap=int(size * share))
    assert [word for chunk in found for word in fresh(chunk).split()] == [
        word for block in blocks for word in block.text.split()
    ]


@settings(max_examples=300, deadline=None)
@given(BLOCKS, st.integers(1, 120), st.floats(0, 0.5))
def test_a_chunk_is_larger_than_the_size_only_for_one_word(blocks, size, share):
    for chunk in chunks(blocks, size, overlap=int(size * share)):
        assert estimate(chunk.text) <= size or len(fresh(chunk).split()) == 1


def test_a_section_that_fits_is_not_torn_apart():
    blocks = (
        heading("Refunds"),
        text(sentence("one")),
        text(sentence("two")),
        heading("Rates"),
        text(sentence("three", 60)),
    )
    found = chunks(blocks, 40)
    assert found[0].text == "\n\n".join(block.text for block in blocks[:3])
    assert found[0].headings == ("Refunds",)
    assert "one" not in found[1].text


def test_sections_that_are_not_small_stay_apart_though_two_would_fit():
    blocks = tuple(block for name in "abc" for block in (heading(name), text(sentence(name * 3, 12))))
    assert [chunk.headings for chunk in chunks(blocks, 34)] == [("a",), ("b",), ("c",)]


def test_small_neighbours_share_a_chunk_under_the_heading_they_have_in_common():
    small = tuple(block for name in "abcd" for block in (heading(name, 2), text(f"{name} is short.")))
    found = chunks(
        (heading("Terms"), text(sentence("intro", 50)), *small, heading("Prices"), text(sentence("far", 40))),
        80,
    )
    assert [chunk.headings for chunk in found] == [("Terms",), ("Terms",), ("Prices",)]
    assert all(f"{name} is short." in found[1].text for name in "abcd")


def test_a_small_section_is_never_joined_across_a_higher_heading():
    blocks = (
        *(heading("Terms"), text(sentence("intro", 60)), heading("End", 2), text("Short.")),
        *(heading("Prices"), text("Also short."), heading("Long", 2), text(sentence("far", 80))),
    )
    assert not [chunk for chunk in chunks(blocks, 50) if "Short." in chunk.text and "Also" in chunk.text]


def test_a_heading_with_nothing_under_it_goes_with_the_next_one():
    found = chunks((heading("Manual"), heading("Setup", 2), text(" ".join([sentence("step")] * 10))), 40)
    assert found[0].text.startswith("Manual\n\nSetup\n\nStep")
    assert {chunk.headings for chunk in found} == {("Manual", "Setup")}


def test_tables_and_code_that_fit_are_whole():
    table = Block(kind="table", text="\n".join(f"row {number} | {number}" for number in range(8)))
    code = Block(kind="code", text="def f():\n\n    return 1\n\n\ndef g():\n    return 2")
    found = chunks(
        (text(sentence("before", 20)), table, text(sentence("after", 20)), code, text(sentence("end", 20))),
        35,
    )
    assert sum(table.text in chunk.text for chunk in found) == 1
    assert sum(code.text in chunk.text for chunk in found) == 1


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        ("plan | price\n", [f"plan {number} | {number} €" for number in range(40)]),
        ("| plan | price |\n|:-----|------:|\n", [f"| plan {number} | {number} € |" for number in range(40)]),
    ],
)
def test_a_table_in_several_chunks_repeats_its_first_row(first, rows):
    found = chunks((heading("Plans"), Block(kind="table", text=first + "\n".join(rows))), 60)
    assert len(found) > 3
    assert found[0].text.startswith(f"Plans\n\n{first}")
    assert found[0].repeated == 0
    for chunk in found[1:]:
        assert chunk.text.startswith(first)
        assert chunk.repeated == len(first)
    assert [row for chunk in found for row in chunk.text.split("\n") if row in rows] == rows


def test_a_long_paragraph_is_cut_between_sentences_and_repeats_the_last_ones():
    said = [sentence(word) for word in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")]
    found = chunks((text(" ".join(said)),), 50, overlap=20)
    for chunk in found:
        assert all(part in said for part in chunk.text.replace(". ", ".|").split("|"))
    for before, after in itertools.pairwise(found):
        assert after.repeated > 0
        assert before.text.endswith(after.text[: after.repeated].strip())


def test_nothing_is_repeated_from_one_section_to_the_next():
    blocks = [
        block
        for name in ("ab", "cd", "ef")
        for block in (heading(name), text(" ".join([sentence(name, 12)] * 2)))
    ]
    assert {
        chunk.repeated
        for chunk in chunks(tuple(blocks), 24, overlap=8)
        if chunk.text[:2] in {"ab", "cd", "ef"}
    } == {0}


def test_repeated_sentences_are_a_paragraph_of_their_own_before_the_next():
    said = [sentence(word, 16) for word in ("alpha", "beta", "gamma", "delta")]
    found = chunks((text(" ".join(said[:2])), text(" ".join(said[2:]))), 70, overlap=30)
    assert found[1].text == f"{said[1]}\n\n{said[2]} {said[3]}"
    assert found[1].text[found[1].repeated :] == f"{said[2]} {said[3]}"


def test_the_end_of_a_long_section_is_not_joined_to_the_section_under_it():
    long = text(" ".join([sentence("long", 12)] * 7))
    found = chunks((heading("Terms"), long, heading("End", 2), text("Short.")), 40)
    assert found[-1].headings == ("Terms", "End")
    assert found[-1].text == "End\n\nShort."


def test_a_row_that_hardly_fits_still_stands_under_the_first_one():
    first = "the plan | the price of it\n"
    rows = [f"{number} {'word ' * 12}end | 5" for number in range(4)]
    found = chunks((Block(kind="table", text=first + "\n".join(rows)),), 20)
    assert all(chunk.text.startswith(first) for chunk in found)
    assert " ".join(fresh(chunk) for chunk in found).split() == (first + "\n".join(rows)).split()


def test_lines_are_told_also_where_a_sentence_takes_several():
    lines = [line for number in range(20) for line in (f"Sentence {number}", "takes two lines.")]
    for chunk in chunks((text("\n".join(lines), 11),), 30):
        assert chunk.text == "\n".join(lines[chunk.line - 11 : chunk.last_line - 10])


def test_a_block_whose_lines_are_not_the_files_keeps_its_place_as_a_whole():
    block = Block(kind="text", text="\n".join([sentence("word")] * 12), line=5, last_line=7)
    found = chunks((block,), 30)
    assert len(found) > 2
    assert {(chunk.line, chunk.last_line) for chunk in found} == {(5, 7)}


def test_a_text_without_spaces_is_cut_between_its_signs():
    found = chunks((text("我们的退款政策" * 100),), 40)
    assert len(found) > 10
    assert "".join(chunk.text for chunk in found) == "我们的退款政策" * 100
    assert all(estimate(chunk.text) <= 40 for chunk in found)


def test_a_chunk_knows_its_lines_even_within_a_paragraph():
    lines = [f"Line {number} is one sentence." for number in range(1, 41)]
    found = chunks((text("\n".join(lines[:20]), 1), text("\n".join(lines[20:]), 21)), 30, overlap=10)
    assert len(found) > 5
    for chunk in found:
        assert chunk.text.split() == " ".join(lines[chunk.line - 1 : chunk.last_line]).split()


def test_a_chunk_knows_its_pages():
    pages = tuple(Block(kind="text", text=sentence(f"page{number}", 8), page=number) for number in (1, 2, 3))
    (found,) = chunks(pages, 500)
    assert (found.page, found.last_page, found.line) == (1, 3, None)


def test_the_content_names_the_headings_above_it_once():
    found = chunks((heading("Terms"), heading("Refunds", 2), text(" ".join([sentence("day")] * 12))), 40)
    assert found[0].content == found[0].text
    assert found[1].content == f"Terms › Refunds\n\n{found[1].text}"
    assert found[1].heading == "Terms › Refunds"


def test_the_size_is_in_what_is_measured():
    found = chunks(
        (text(" ".join(f"word{number}" for number in range(100))),),
        10,
        measure=lambda said: len(said.split()),
    )
    assert [len(chunk.text.split()) for chunk in found] == [10] * 10


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 6), (10, -1)])
def test_a_size_that_cannot_be_is_refused(size, overlap):
    with pytest.raises(ValueError, match=f"size of {size} with an overlap of {overlap}"):
        chunks((), size, overlap=overlap)
