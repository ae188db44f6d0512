"""What a batch is given: lines, rows, documents, stdin. What is wrong with one is said of it, and the rest goes on."""

import io
import sys
import tracemalloc

import pytest
from batch_runners import Speaker, go, write_lines

from headgate.batches import Item, Notice, open_items, open_results, run_batch
from headgate.batches import lines as lines_module
from headgate.core.errors import UsageError


def items_of(path):
    return list(open_items([str(path)], path.parent))


def test_a_broken_line_is_an_item_of_its_own_with_file_and_line(tmp_path):
    path = tmp_path / "mails.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf"one"\n\n{"text": "two", "custom_id": "c-2"}\n{"text": "three"\n[4]\n5\nnull\n"\xff"\n"eight"'
    )
    items = items_of(path)
    assert [item.n for item in items] == list(range(1, 9))
    assert [item.source.rpartition(":")[2] for item in items] == ["1", "3", "4", "5", "6", "7", "8", "9"]
    assert [item.given for item in items if not item.fault] == [
        "one",
        {"text": "two", "custom_id": "c-2"},
        "eight",
    ]
    assert items[1].id == "c-2"
    assert items[2].fault.startswith("the line is not JSON: ")
    assert [item.fault for item in items[3:6]] == [
        f"the line is {what}, but must be a text or an object of fields"
        for what in ("a list", "a number", "null")
    ]
    assert items[6].fault.startswith("the line is not JSON: ")
    assert open_items([str(path)], tmp_path).total() == 8


async def test_a_broken_line_fails_alone_and_is_asked_once_it_is_mended(tmp_path):
    (tmp_path / "in.jsonl").write_text('"one"\n"two\n"three"\n')
    speaker = Speaker()
    _, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert [line["status"] for line in lines] == ["ok", "failed", "ok"]
    assert lines[1]["source"] == f"{tmp_path}/in.jsonl:2"
    assert lines[1]["reason"].startswith("the line is not JSON")
    write_lines(tmp_path / "in.jsonl", ["one", "two", "three"])
    speaker = Speaker()
    _, lines, _ = await go(tmp_path, speaker, "in.jsonl")
    assert speaker.asked == {"two": 1}
    assert [line["status"] for line in lines] == ["ok"] * 3


async def test_a_line_nested_without_end_fails_alone(tmp_path):
    deep = "[" * 20_000 + "]" * 20_000
    (tmp_path / "in.jsonl").write_text(f'"one"\n{deep}\n{{"text": {deep}}}\n"three"\n')
    _, lines, _ = await go(tmp_path, Speaker(), "in.jsonl")
    assert [line["status"] for line in lines] == ["ok", "failed", "failed", "ok"]
    assert lines[1]["source"] == f"{tmp_path}/in.jsonl:2"
    assert lines[1]["reason"] == "the line is nested too deeply to be read"


def test_a_line_without_an_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "MOST_LINE", 1000)
    path = tmp_path / "mails.jsonl"
    path.write_bytes(b'"' + b"x" * 5000 + b'"\n"next"\n')
    long, after = items_of(path)
    assert "the line has more than" in long.fault
    assert (after.given, after.source) == ("next", f"{path}:2")


def test_a_row_with_too_many_or_too_few_cells_is_named(tmp_path):
    path = tmp_path / "mails.csv"
    path.write_text('id,subject,body\n1,Hello,"two\nlines"\n2,short\n\n3,one,two,three\n4,last,end\n')
    items = items_of(path)
    assert [item.source for item in items] == [f"{path}:{line}" for line in (2, 4, 6, 7)]
    assert items[0].given["body"] == "two\nlines"
    assert [item.id for item in items] == ["1", "", "", "4"]
    assert items[1].fault == "a row of 2 fields, and the header has 3; left out"
    assert items[2].fault == "a row of 4 fields, and the header has 3; left out"
    assert open_items([str(path)], tmp_path).total() == 4


def test_a_folder_is_read_file_by_file_and_what_cannot_be_read_is_named(tmp_path):
    mails = tmp_path / "mails"
    (mails / "old").mkdir(parents=True)
    (mails / "a.txt").write_text("I was charged twice.")
    (mails / "b.eml").write_bytes(b"Subject: Crash\nFrom: a@example.com\nMessage-ID: <1>\n\nIt crashes.\n")
    (mails / "c.pdf").write_bytes(b"no PDF at all")
    (mails / "empty.txt").touch()
    (mails / "logo.png").write_bytes(b"\x89PNG")
    (mails / "old" / "back").symlink_to(mails)
    (mails / "old" / "z.txt").write_text("The last one.")
    found = list(open_items([str(mails)], tmp_path))
    items = [one for one in found if isinstance(one, Item)]
    assert [item.source.removeprefix(f"{mails}/") for item in items if not item.fault] == [
        "a.txt",
        "b.eml",
        "old/z.txt",
    ]
    assert items[1].given["subject"] == "Crash"
    faults = {item.source.removeprefix(f"{mails}/"): item.fault for item in items if item.fault}
    assert faults.keys() == {"c.pdf", "empty.txt", "old/back"}
    assert faults["empty.txt"] == "an empty file"
    assert "in which it lies" in faults["old/back"]
    assert [item.n for item in items] == list(range(1, 7))
    (notice,) = [one.text for one in found if isinstance(one, Notice)]
    assert open_items([str(mails)], tmp_path).total() == 6
    assert notice.startswith(f"{mails}: 1 file of a kind that is not read: 1 .png")


def test_an_input_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"there is no nothing\.jsonl"):
        open_items(["nothing.jsonl"], tmp_path)


@pytest.mark.parametrize(
    ("piped", "given"),
    [
        (b'{"text": "a"}\n"b"\n', [{"text": "a"}, "b"]),
        (b"I was charged twice.\n\nIt crashes.\n", ["I was charged twice.", "It crashes."]),
        (b"42\n43\n", ["42", "43"]),
    ],
)
def test_stdin_is_lines_of_json_or_of_text(tmp_path, monkeypatch, piped, given):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    items = open_items(["-"], tmp_path)
    assert items.total() == len(given)
    assert [item.given for item in items] == given
    assert [item.given for item in items] == given, "it can be gone through again"


def test_several_inputs_are_counted_through(tmp_path):
    write_lines(tmp_path / "a.jsonl", ["one", "two"])
    (tmp_path / "b.csv").write_text("text\nthree\n")
    items = open_items([str(tmp_path / "a.jsonl"), str(tmp_path / "b.csv")], tmp_path)
    assert [item.n for item in items] == [1, 2, 3]
    assert items.total() == 3


async def test_a_large_input_is_not_held_in_memory(tmp_path):
    path = tmp_path / "in.jsonl"
    with path.open("w") as file:
        for n in range(20_000):
            file.write(f'"{n} {"x" * 1000}"\n')
    speaker = Speaker()
    speaker.run = quiet
    tracemalloc.start()
    with open_results(tmp_path / "results.jsonl", agent="loud") as (results, _):
        summary = await run_batch(speaker, "loud", open_items([str(path)], tmp_path), results)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert summary.items == 20_000
    assert peak < 6_000_000, f"{peak:,} bytes for an input of {path.stat().st_size:,}"


async def quiet(agent, given, **_):
    from headgate.core.runs import Run

    return Run(agent=agent, status="ok", output=given[:100])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
async def test_a_file_whose_name_is_no_text_is_an_item_like_others(tmp_path):
    import os

    folder = tmp_path / "mails"
    folder.mkdir()
    for name in (b"gr\xfc\xdfe.txt", "grüße.txt".encode()):
        (folder / os.fsdecode(name)).write_text("Hello")
    _, lines, _ = await go(tmp_path, Speaker(), "mails")
    names = {line["source"].rpartition("/")[2] for line in lines}
    assert names == {"gr\ufffd\ufffde.txt", "grüße.txt"}
    assert {line["status"] for line in lines} == {"ok"}
