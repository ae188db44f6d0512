"""A base follows its folders: only what changed is read, only new text is embedded, and nothing is lost when it is killed."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from knowledge_desk import PAGE, REFUNDS, Counting, Failing, Noise, many, write

from document_files import as_bytes, pdf
from headgate.core.errors import HeadgateError, UsageError
from headgate.knowledge import places
from headgate.knowledge.search import Shelf
from headgate.knowledge.store import Base
from headgate.knowledge.sync import sync
from headgate.knowledge.watch import changed


def stats(name="hand"):
    with Base(places.find(name)) as base:
        return base.stats()


async def sources(question, how="words", embedder=None):
    found = await Shelf().search("hand", question, how=how, embedder=embedder)
    return [hit.passage.source.rpartition("/")[2] for hit in found.hits]


async def test_a_folder_is_read_and_found_by_words_and_by_vectors(handbook, embedder):
    done = await sync("hand", [handbook], embedder)
    assert (done.read, done.unchanged, done.removed, done.missing, done.problem) == (2, 0, 0, 0, "")
    assert done.embedded == done.chunks == stats().vectors > 1
    for how in ("words", "vectors", "hybrid"):
        found = await Shelf().search("hand", "How long does a refund take?", how=how, embedder=embedder)
        assert (found.how, found.note) == (how, "")
        passage = found.hits[0].passage
        assert passage.source == str(handbook / "refunds.md")
        assert "five working days" in passage.text
        assert REFUNDS.splitlines()[passage.line - 1].startswith("#")


async def test_only_what_changed_is_read_and_only_new_text_is_embedded(handbook, embedder):
    await sync("hand", [handbook], embedder, chunk=60)
    before = stats()
    embedder.texts.clear()
    write(handbook, refunds=REFUNDS.replace("five working days", "six working days"))
    done = await sync("hand", [], embedder)
    assert (done.read, done.unchanged) == (1, 1)
    assert [text for text in embedder.texts if "six working days" in text] == embedder.texts
    assert done.embedded == len(embedder.texts) == 1
    assert done.reused == done.chunks - 1 > 0
    assert stats().chunks == before.chunks
    assert stats().vectors == before.vectors
    with closing(sqlite3.connect(places.find("hand"))) as db:
        kept = db.execute("SELECT count(*) FROM vectors").fetchone()
    assert kept == (before.vectors,), "the vector of the old text is forgotten"
    assert await sources("six") == ["refunds.md"]
    assert await sources("five") == []


async def test_nothing_is_read_when_nothing_has_changed(handbook, embedder):
    await sync("hand", [handbook], embedder)
    embedder.texts.clear()
    version = version_of()
    done = await sync("hand", [handbook], embedder)
    assert (done.read, done.unchanged, done.chunks, embedder.texts) == (0, 2, 0, [])
    assert version_of() == version


def version_of():
    with Base(places.find("hand")) as base:
        return base.version


async def test_a_file_with_another_time_but_the_same_bytes_is_left_as_it_is(handbook, embedder):
    await sync("hand", [handbook], embedder)
    version = version_of()
    os.utime(handbook / "refunds.md", (1, 1))
    assert (await sync("hand", [], embedder)).read == 0
    assert version_of() == version
    with Base(places.find("hand")) as base:
        assert base.files()[str(handbook / "refunds.md")].mtime == 1_000_000_000, (
            "or it is read the next time again"
        )


async def test_texts_that_are_gone_do_not_take_the_places_of_those_that_are_there(handbook):
    for number in range(6):
        (handbook / "draft.md").write_text(f"The dragonfly is counted. Draft {number}")
        await sync("hand", [handbook], None)
    found = await Shelf().search("hand", "dragonfly", how="words", k=1)
    assert [hit.passage.text for hit in found.hits] == ["The dragonfly is counted. Draft 5"]


async def test_a_deleted_file_is_found_no_more(handbook, embedder):
    await sync("hand", [handbook], embedder)
    (handbook / "travel.md").unlink()
    done = await sync("hand", [], embedder)
    assert done.removed == 1
    assert await sources("kilometres") == []
    assert "travel.md" not in await sources("kilometres", "vectors", embedder)
    assert stats().chunks == stats().vectors


async def test_a_renamed_file_keeps_its_vectors(handbook, embedder):
    await sync("hand", [handbook], embedder)
    embedder.texts.clear()
    (handbook / "travel.md").rename(handbook / "journeys.md")
    done = await sync("hand", [], embedder)
    assert (done.read, done.removed, done.embedded, embedder.texts) == (1, 1, 0, [])
    assert await sources("kilometres") == ["journeys.md"]


async def test_a_folder_that_has_moved_is_forgotten_where_it_was(handbook, embedder, tmp_path):
    await sync("hand", [handbook], embedder)
    moved = tmp_path / "moved"
    handbook.rename(moved)
    done = await sync("hand", [moved], embedder)
    assert done.embedded == 0
    assert stats().folders == (str(moved),)
    assert stats().files == 2
    assert any(str(handbook) in note for note in done.notes)


async def test_a_folder_that_is_not_there_keeps_what_was_read_of_it(handbook, embedder, tmp_path):
    await sync("hand", [handbook], embedder)
    handbook.rename(tmp_path / "a disk that is not mounted")
    done = await sync("hand", [], embedder)
    assert (done.removed, stats().files) == (0, 2)
    assert f"headgate kb rm hand {handbook}" in done.notes[0]
    assert await sources("kilometres") == ["travel.md"]


async def test_a_file_that_was_added_by_itself_is_forgotten_when_it_is_deleted(handbook, embedder):
    alone = handbook / "travel.md"
    text = alone.read_text(encoding="utf-8")
    await sync("hand", [alone], embedder)
    alone.unlink()
    await asyncio.wait_for(changed(places.find("hand"), 0.05), 10)
    done = await sync("hand", [], embedder)
    assert (done.removed, done.notes, stats().chunks) == (1, (), 0)
    assert await sources("kilometres") == []
    alone.write_text(text, encoding="utf-8")
    await sync("hand", [], embedder)
    assert await sources("kilometres") == ["travel.md"], "it belongs to the base still"


async def test_a_passage_of_a_pdf_names_the_page_that_all_of_it_stands_on(tmp_path):
    pytest.importorskip("pypdf")
    pages = ("The contract runs for 24 months.", "Cancellation takes 14 days.", "The court is in Leipzig.")
    (tmp_path / "terms.pdf").write_bytes(as_bytes(pdf(*pages)))
    await sync("hand", [tmp_path / "terms.pdf"], None)
    for number, word in enumerate(("contract", "cancellation", "court"), start=1):
        (hit,) = (await Shelf().search("hand", word, how="words")).hits
        assert (hit.passage.page, hit.passage.text) == (number, pages[number - 1])


async def test_files_of_one_folder_in_another_are_there_once(handbook, embedder):
    (handbook / "more").mkdir()
    (handbook / "more" / "late.md").write_text("Late trains are refunded by the railway.")
    await sync("hand", [handbook, handbook / "more", handbook / "more" / "late.md"], embedder)
    assert stats().files == 3
    assert await sources("railway") == ["late.md"]


async def test_another_model_embeds_everything_again_but_only_when_told_to(handbook, embedder):
    await sync("hand", [handbook], embedder)
    other = Counting(Noise())
    with pytest.raises(UsageError, match=r"embedded by embed.*noise cannot be compared") as raised:
        await sync("hand", [], other)
    assert "headgate kb sync hand --rebuild" in raised.value.hint
    assert (other.texts, stats().model) == ([], "embed")
    done = await sync("hand", [], other, rebuild=True)
    assert done.embedded == len(other.texts) == stats().vectors
    assert (stats().model, stats().dimensions) == ("noise", 48)


async def test_a_chunk_of_another_size_reads_all_files_again(handbook, embedder):
    await sync("hand", [handbook], embedder)
    large = stats().chunks
    done = await sync("hand", [], embedder, chunk=60)
    assert (done.read, done.unchanged) == (2, 0)
    assert stats().chunks > large
    assert stats().chunk == 60
    assert (await sync("hand", [], embedder)).read == 0, "the size is remembered"


async def test_an_add_that_stopped_half_way_goes_on_with_its_size_of_chunks(tmp_path):
    many(tmp_path / "notes", 10)

    def stop(progress):
        if progress.files == 5:
            raise KeyboardInterrupt

    for size in (40, 60):
        with pytest.raises(KeyboardInterrupt):
            await sync("hand", [tmp_path / "notes"], None, stop, chunk=size)
        await sync("hand", [], None)
        with Base(places.find("hand")) as base:
            assert {file.chunk for file in base.files().values()} == {size}


async def test_what_is_in_two_folders_stays_when_one_is_forgotten(handbook):
    (handbook / "more").mkdir()
    (handbook / "more" / "late.md").write_text("Late trains are refunded by the railway.")
    await sync("hand", [handbook, handbook / "more"], None)
    with Base(places.find("hand")) as base:
        assert base.drop_folder(str(handbook)) == 2
    assert await sources("railway") == ["late.md"]


async def test_a_chunk_too_long_for_the_model_is_embedded_in_halves(tmp_path, embedder):
    many(tmp_path / "long", 3)
    for name in ("0000.md", "0002.md"):
        note = tmp_path / "long" / name
        note.write_text(note.read_text() * 12)
    done = await sync("hand", [tmp_path / "long"], embedder, chunk=2000)
    assert (done.missing, done.problem) == (0, "")
    found = await Shelf().search("hand", "Note 1", how="vectors", embedder=embedder, k=9)
    assert len(found.hits) == done.chunks
    assert max(map(len, embedder.texts)) > 3000, "it was tried as a whole"
    assert min(map(len, embedder.texts)) < 3000


async def test_when_the_model_stops_answering_words_are_there_and_the_next_sync_goes_on(tmp_path, embedder):
    many(tmp_path / "notes", 150)
    done = await sync("hand", [tmp_path / "notes"], Failing(embedder, 1))
    assert done.problem == "embed does not answer"
    assert 0 < done.missing < 150
    assert stats().chunks == 150
    assert (await Shelf().search("hand", "note 77", how="words")).hits
    embedder.texts.clear()
    again = await sync("hand", [], embedder)
    assert (again.read, again.missing, again.embedded) == (0, 0, done.missing)


async def test_without_an_embedder_a_base_is_searched_by_words(handbook):
    done = await sync("hand", [handbook], None)
    assert (done.embedded, done.missing, done.problem) == (0, done.chunks, "")
    found = await Shelf().search("hand", "refund")
    assert (found.how, found.hits[0].passage.source) == ("words", str(handbook / "refunds.md"))
    assert "no embedding model" in found.note


async def test_what_cannot_be_read_is_named_and_the_rest_is_there(handbook, embedder):
    (handbook / "empty.md").touch()
    (handbook / "photo.xyz").write_bytes(b"\x00\x01")
    done = await sync("hand", [handbook], embedder)
    said = {trouble.source: trouble.message for trouble in done.troubles}
    assert said[str(handbook / "empty.md")] == "an empty file"
    assert "not read: 1 .xyz" in said[str(handbook)]
    assert stats().troubles == done.troubles
    assert stats().files == 3
    assert await sources("kilometres") == ["travel.md"]
    (handbook / "empty.md").write_text("Now there is a dragonfly.")
    assert str(handbook / "empty.md") not in {
        one.source for one in (await sync("hand", [], embedder)).troubles
    }
    assert await sources("dragonfly") == ["empty.md"]


async def test_a_name_that_is_no_utf8_is_said_to_be_none(handbook):
    name = os.fsdecode(b"caf\xe9.md")
    try:
        (handbook / name).write_text("An espresso is 2 EUR.")
    except OSError:
        pytest.skip("this disk takes no such name")
    done = await sync("hand", [handbook], None)
    assert (done.read, len(done.troubles)) == (2, 1)
    assert done.troubles[0].source == str(handbook / "caf?.md")
    assert "not UTF-8" in done.troubles[0].message


async def test_halves_of_characters_in_a_mail_do_no_harm(handbook):
    mail = b"From: a@example.com\nSubject: caf\xe9\n\nThe espresso \xff is back.\n"
    (handbook / "mail.eml").write_bytes(mail)
    done = await sync("hand", [handbook], None)
    assert done.read == 3
    assert await sources("espresso") == ["mail.eml"]


async def test_a_file_that_gave_nothing_is_tried_again(handbook, embedder, monkeypatch):
    (handbook / "scan.pdf").write_bytes(b"%PDF-1.4 and nothing more")
    await sync("hand", [handbook], embedder)
    assert (await sync("hand", [], embedder, retry=False)).read == 0
    assert (await sync("hand", [], embedder)).read == 1


async def test_a_folder_that_is_not_there_cannot_be_added(tmp_path, embedder):
    with pytest.raises(UsageError, match="there is no"):
        await sync("hand", [tmp_path / "nothing"], embedder)
    assert places.names() == []


async def test_two_do_not_write_to_one_base_at_a_time(handbook, embedder):
    await sync("hand", [handbook], embedder)
    with places.writing(places.find("hand")):
        with pytest.raises(HeadgateError, match="is being written by another process"):
            await sync("hand", [], embedder)
        assert await sources("kilometres") == ["travel.md"], "but it is read meanwhile"


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
async def test_a_file_that_is_no_base_is_said_to_be_none(content, embedder):
    places.home().mkdir(parents=True)
    path = places.place_of("hand")
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE somebody_elses (x)")
    if content:
        path.write_bytes(content)
    with pytest.raises(HeadgateError, match=r"hand\.db") as raised:
        await sync("hand", [], embedder)
    assert raised.value.hint


ADDING = """
import asyncio, sys
from headgate.app import open_gate
from headgate.config.load import load_config
from headgate.knowledge.sync import sync

async def main():
    async with open_gate(load_config(sys.argv[1], lambda *_: None)) as gate:
        tell = lambda now: print(now.step, now.files, now.embedded, flush=True)
        await sync("hand", [sys.argv[2]], gate.embedder, tell)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("step", "least"), [("reading", 3), ("reading", 150), ("embedding", 1), ("embedding", 150)]
)
async def test_killed_in_the_middle_of_an_add_it_goes_on_where_it_was(tmp_path, embedder, step, least):
    folder = tmp_path / "notes"
    many(folder, 300)
    page = tmp_path / "headgate.toml"
    page.write_text(PAGE.format(folder=tmp_path))
    adding = subprocess.Popen(  # noqa: ASYNC220  # nothing else wants the loop meanwhile
        [sys.executable, "-c", ADDING, str(page), str(folder)], stdout=subprocess.PIPE, text=True
    )
    for line in adding.stdout:
        now, files, embedded = line.split()
        if now == step and int(embedded if step == "embedding" else files) >= least:
            break
    adding.send_signal(signal.SIGKILL)
    adding.stdout.close()
    assert adding.wait() == -signal.SIGKILL
    with closing(sqlite3.connect(places.find("hand"))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute(
            "SELECT count(*) FROM files WHERE id NOT IN (SELECT file FROM chunks)"
        ).fetchone() == (0,)
    kept = stats()
    if step == "embedding":
        assert (kept.files, kept.vectors > 0) == (300, True)
    else:
        assert kept.files > 0
    done = await sync("hand", [], embedder)
    assert (done.read, done.embedded, done.missing) == (300 - kept.files, 300 - kept.vectors, 0)
    assert (stats().chunks, stats().vectors) == (300, 300)
    for number in (0, 150, 299):
        found = await Shelf().search("hand", f'"Note {number}"', how="words", k=1)
        assert found.hits[0].passage.source.endswith(f"{number:04}.md")


async def test_progress_tells_how_far_it_is(tmp_path, embedder):
    many(tmp_path / "notes", 120)
    told = []
    await sync("hand", [tmp_path / "notes"], embedder, told.append)
    steps = list(dict.fromkeys(one.step for one in told))
    assert steps == ["looking", "reading", "embedding", "weighing"]
    assert [one.files for one in told if one.step == "reading"] == list(range(121))
    embedding = [one for one in told if one.step == "embedding"]
    assert embedding[-1].embedded == embedding[-1].to_embed == 120
    assert embedding[-1].seconds_left == 0
    assert all(one.seconds_left is None or one.seconds_left >= 0 for one in told)


def test_names_are_letters_digits_and_dashes():
    for name in ("", "-x", "../up", "a/b", "a b", "ä", "x" * 65, "a.db"):
        with pytest.raises(UsageError, match="cannot be called"):
            places.place_of(name)
    assert places.place_of("Team_hand-book2").name == "Team_hand-book2.db"


async def test_watching_waits_until_a_change_is_over(handbook):
    await sync("hand", [handbook], None)
    path = places.find("hand")
    watching = asyncio.create_task(changed(path, beat=0.15))
    await asyncio.sleep(0.4)
    assert not watching.done(), "nothing has changed"
    for number in range(20):
        (handbook / "growing.md").write_text("word " * (number + 1))
        assert not watching.done(), "it is still being written"
        await asyncio.sleep(0.02)
    await asyncio.wait_for(watching, 10)
    await sync("hand", [], None)
    assert await sources("word") == ["growing.md"]


async def test_what_changes_between_a_sync_and_the_watching_is_seen(handbook):
    await sync("hand", [handbook], None)
    (handbook / "travel.md").unlink()
    await asyncio.wait_for(changed(places.find("hand"), beat=0.05), 10)


async def test_a_disk_that_goes_away_while_it_is_watched_is_no_change(handbook, tmp_path):
    await sync("hand", [handbook], None)
    handbook.rename(tmp_path / "away")
    watching = asyncio.create_task(changed(places.find("hand"), beat=0.02))
    await asyncio.sleep(0.3)
    assert not watching.done()
    (tmp_path / "away").rename(handbook)
    (handbook / "travel.md").write_text("other")
    await asyncio.wait_for(watching, 10)
