"""Passages are found by words, by vectors and by both, whatever is asked; and what cannot be done is said."""

import sys

import pytest
from knowledge_desk import Counting, Failing, Noise, Oracle, direction, many

from headgate.core.chunking import Chunk
from headgate.core.errors import EngineError, UsageError
from headgate.knowledge import places, search, vectors
from headgate.knowledge.fusion import fuse
from headgate.knowledge.search import Shelf
from headgate.knowledge.store import Base
from headgate.knowledge.sync import sync
from headgate.knowledge.types import MARK, UNMARK, File, Piece
from headgate.knowledge.words import query_of

STRANGE = [
    "",
    "   ",
    '"',
    '""" OR "',
    "AND OR NOT",
    "NEAR(refund, 5)",
    "refund*",
    "^refund",
    "text : refund",
    "{name heading} : refund",
    "-refund",
    "refund + (",
    "'; DROP TABLE chunks; --",
    "🙂",
    "🙂 refund 🙂",
    "refund\x00refund",
    "\ud800 refund",
    "%s %d {0}",
    "?",
    "C++",
    "refund " * 5000,
    "\n\n\t",
]


@pytest.mark.parametrize("question", STRANGE)
async def test_no_question_breaks_a_search(handbook, question):
    await sync("hand", [handbook], Noise())
    for how in ("words", "hybrid", "vectors"):
        found = await Shelf().search("hand", question, how=how, embedder=Noise())
        assert found.hits or "refund" not in question
    with Base(places.find("hand")) as base:
        assert base.count() > 0


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("os.path.join", "os.path.join"),
        ("How do I use os.path.join() in the script?", "os.path.join"),
        ("wait_for", "wait_for"),
        ("what is the well known trap", "well-known"),
        ("well-known traps", "well-known"),
        ("KILOMETRES", "Kilometres"),
        ("kilometre", "Kilometres"),
        ("Zuschuss fur Fahrrader", "Fahrräder"),
        ("cafe zurich", "Zürich"),
        ("travel.md", "Trains"),
        ("Car", "Kilometres"),
    ],
)
async def test_words_are_found_as_people_write_them(handbook, question, word):
    await sync("hand", [handbook], None, chunk=60)
    found = await Shelf().search("hand", question, how="words", k=1)
    assert word in found.hits[0].passage.text


async def test_a_script_without_spaces_is_found_by_a_part_of_a_sentence(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("退款需要五个工作日。", encoding="utf-8")
    (tmp_path / "notes" / "b.md").write_text("火车票由公司预订。", encoding="utf-8")
    await sync("hand", [tmp_path / "notes"], None)
    for question, name in (("退款要多久？", "a.md"), ("火车", "b.md"), ("谁预订火车票", "b.md")):
        found = await Shelf().search("hand", question)
        assert found.hits[0].passage.source.endswith(name)


def test_a_question_without_a_word_asks_for_nothing():
    assert query_of("?! 🙂") is None
    assert query_of("the") == '"the"', "a small word counts when there is no other"
    assert query_of("the os.path") == '"os path" OR "os" OR "path"'


async def test_the_words_of_the_question_are_marked_as_they_were_found(handbook):
    await sync("hand", [handbook], None)
    found = await Shelf().search("hand", "refunds in zurich")
    marked = [part.partition(UNMARK)[0] for hit in found.hits for part in hit.snippet.split(MARK)[1:]]
    assert {"refund", "Refunds", "Zürich"} >= set(marked)
    assert "Zürich" in marked
    assert all(len(hit.snippet.split()) <= search.SNIPPET + 4 for hit in found.hits)


async def test_hits_say_by_what_they_were_found(handbook, embedder):
    await sync("hand", [handbook], embedder, chunk=60)
    found = await Shelf().search("hand", "kilometres in Bremen", how="hybrid", embedder=embedder)
    assert {hit.by_words for hit in found.hits} >= {1, 2}
    assert {hit.by_vectors for hit in found.hits} >= {1, 2}
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert embedder.questions == ["kilometres in Bremen"]


async def test_a_question_embedded_by_another_model_is_searched_by_words(handbook, embedder):
    await sync("hand", [handbook], embedder)
    other = Counting(Noise())
    found = await Shelf().search("hand", "kilometres", embedder=other)
    assert (found.how, bool(found.hits), other.questions) == ("words", True, [])
    assert "was embedded by embed" in found.note
    assert "--rebuild" in found.hint
    with pytest.raises(UsageError, match="was embedded by embed"):
        await Shelf().search("hand", "kilometres", how="vectors", embedder=other)


async def test_a_model_that_does_not_answer_leaves_the_words(handbook, embedder):
    await sync("hand", [handbook], embedder)
    broken = Failing(embedder, 0)
    found = await Shelf().search("hand", "kilometres", embedder=broken)
    assert (found.how, bool(found.hits)) == ("words", True)
    assert "does not answer" in found.note
    with pytest.raises(EngineError, match="does not answer"):
        await Shelf().search("hand", "kilometres", how="vectors", embedder=broken)


@pytest.mark.parametrize("package", ["numpy", "usearch"])
async def test_without_the_extra_words_work_and_say_what_is_missing(handbook, embedder, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    done = await sync("hand", [handbook], embedder)
    assert embedder.texts == []
    assert any(package in note and 'pip install "headgate[knowledge]"' in note for note in done.notes)
    found = await Shelf().search("hand", "kilometres", embedder=embedder)
    assert (found.how, bool(found.hits)) == ("words", True)
    assert package in found.note
    assert found.hint == 'pip install "headgate[knowledge]"'


def by_id(base):
    return sorted(base.chunks(), key=lambda row: row.id)


def filled(count, dimensions=48):
    """A base of so many chunks with vectors that are known."""
    with Base(places.place_of("hand"), create=True) as base:
        base.begin_model("noise")
        pieces = [Piece("notes.md", Chunk(text=f"note {number}")) for number in range(count)]
        base.put(File(path="notes.md", size=1, mtime=1), pieces, [])
        base.note(dimensions=dimensions)
        made = [direction(f"note {number}", dimensions) for number in range(count)]
        digests = [row.digest for row in by_id(base)]
        base.put_vectors(zip(digests, vectors.stored(made, dimensions), strict=True))
    return made


async def test_a_large_base_is_scanned_and_finds_what_comparing_each_finds(monkeypatch):
    filled(600)
    exact, rough = [], []
    for found, limit in ((exact, 10_000), (rough, 100)):
        monkeypatch.setattr(vectors, "EXACT", limit)
        shelf = Shelf()
        for number in range(20):
            hits = await shelf.search("hand", f"question {number}", how="vectors", k=10, embedder=Noise())
            found.append([(hit.passage.text, round(hit.score, 3)) for hit in hits.hits])
    assert places.index_of(places.find("hand")).is_dir()
    assert sum(one == other for one, other in zip(exact, rough, strict=True)) >= 19


async def test_the_index_on_the_disk_is_used_while_it_is_true_and_made_anew_when_it_is_not(monkeypatch):
    monkeypatch.setattr(vectors, "EXACT", 100)
    filled(300)
    path = places.find("hand")
    shelf = Shelf()
    await shelf.search("hand", "note 7", how="vectors", embedder=Noise())
    stamp = places.index_of(path) / "rough.npy"
    before = stamp.stat().st_mtime_ns
    first = (await Shelf().search("hand", "note 7", how="vectors", k=1, embedder=Noise())).hits[0]
    assert first.passage.text == "note 7"
    assert stamp.stat().st_mtime_ns == before
    with Base(path) as base:
        base.put(File(path="late.md", size=1, mtime=1), [Piece("late.md", Chunk(text="late"))], [])
        base.put_vectors([(by_id(base)[-1].digest, vectors.stored([direction("late")], 48)[0])])
    for one in (shelf, Shelf()):
        hit = (await one.search("hand", "late", how="vectors", k=1, embedder=Noise())).hits[0]
        assert (hit.passage.text, round(hit.score, 2)) == ("late", 1.0)
    stamp.write_bytes(b"broken")
    assert (await Shelf().search("hand", "late", how="vectors", k=1, embedder=Noise())).hits[
        0
    ].passage.text == "late"


async def test_a_shelf_keeps_no_more_vectors_than_its_memory(tmp_path, embedder):
    for number, name in enumerate(("one", "two", "three")):
        many(tmp_path / name, 5 + number)
        await sync(name, [tmp_path / name], embedder)
    size = 6 * (64 * 4 + 8)
    limit = 2 * size + 300
    shelf = Shelf(memory=limit)
    for name in ("one", "two", "three", "two"):
        assert (await shelf.search(name, "note", how="vectors", embedder=embedder)).hits
        assert shelf.held <= limit
    assert shelf.held > size, "and more than one, where they fit"


async def test_a_base_that_was_made_anew_is_not_searched_by_what_the_old_one_was(tmp_path, embedder):
    shelf = Shelf()
    for text in ("The old text is about whales.", "The new text is about trains."):
        (tmp_path / "text.md").write_text(text)
        await sync("hand", [tmp_path / "text.md"], embedder)
        found = await shelf.search("hand", text, how="vectors", embedder=embedder)
        assert (found.hits[0].passage.text, found.hits[0].score) == (text, pytest.approx(1, abs=0.01))
        places.remove(places.find("hand"))


async def test_a_question_for_no_base_names_the_one_that_was_meant(handbook):
    await sync("handbook", [handbook], None)
    with pytest.raises(UsageError, match='there is no knowledge base "hanbook"') as raised:
        await Shelf().search("hanbook", "x")
    assert raised.value.hint == "did you mean handbook?"


def test_both_orders_are_one_by_their_scores():
    words, likes = [(1, 9.0), (2, 3.0)], [(3, 0.9), (2, 0.8), (1, 0.5)]
    assert [one.id for one in fuse(words, likes, 0)] == [1, 2, 3], "what only the vectors found comes last"
    assert [one.id for one in fuse(words, likes, 1)][:2] == [3, 2]
    assert [one.id for one in fuse([], likes, 0.2)] == [3, 2, 1]
    assert [one.id for one in fuse(words, [], 0.2)] == [1, 2]
    scores = {one.id: one.score for one in fuse(words, likes, 0.5)}
    assert scores == pytest.approx({1: 0.5, 2: 0.5 / 3 + 0.375, 3: 0.5}), "each order is stretched to 0-1"
    both = {one.id: (one.by_words, one.by_vectors) for one in fuse(words, likes, 0.5)}
    assert both == {1: (1, 3), 2: (2, 2), 3: (None, 1)}


def topics(folder, *, shared):
    """Sections whose headings share one word with their texts, or none, but are about the same."""
    folder.mkdir()
    body = (
        "Whoever reads this finds nothing of what stands above, but a text long enough to be one of many. "
        * 3
    )
    for number in range(60):
        word = f"headq{number}q" if shared else f"textq{number}q"
        (folder / f"{number}.md").write_text(f"# About headq{number}q things\n\n{body} {word}\n")


async def test_vectors_weigh_what_they_are_worth_in_this_base(tmp_path):
    weights = {}
    for name, embedder, shared in (("noise", Noise(), True), ("oracle", Oracle(), False)):
        topics(tmp_path / name, shared=shared)
        await sync(name, [tmp_path / name], embedder)
        with Base(places.find(name)) as base:
            weights[name] = base.weight
    assert weights["noise"] < 0.3, "the words alone find it"
    assert weights["oracle"] >= 0.4
    found = await Shelf().search("noise", "About headq17q things", k=1, embedder=Noise())
    assert found.hits[0].passage.source.endswith("/17.md"), "so noise does no harm"
    found = await Shelf().search("oracle", "otherq17q", k=1, embedder=Oracle())
    assert found.hits[0].passage.source.endswith("/17.md"), "and what words cannot find is found"


async def test_a_base_with_few_headings_is_not_weighed(handbook, embedder):
    await sync("hand", [handbook], embedder)
    with Base(places.find("hand")) as base:
        assert base.weight is None
