"""The results file: what a crash left of it, whose it is, and that one process at a time works on it."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from batch_runners import Speaker, go, read_lines, write_lines

from headgate.batches import open_results
from headgate.batches.types import Result
from headgate.core.errors import HeadgateError, UsageError

HOLDER = """
import sys, time
from pathlib import Path
from headgate.batches import open_results
with open_results(Path(sys.argv[1]), agent="loud"):
    print("open", flush=True)
    time.sleep(60)
"""


def result(item: int, **facts) -> Result:
    return Result(**({"item": item, "status": "ok", "agent": "loud", "digest": f"{item:016x}"} | facts))


@pytest.fixture
def answered(tmp_path):
    """A finished batch of three."""
    write_lines(tmp_path / "in.jsonl", ["one", "two", "three"])

    async def batch():
        await go(tmp_path, Speaker(), "in.jsonl", at_once=1)
        return tmp_path / "results.jsonl"

    return batch


async def test_a_torn_last_line_is_cut_off_and_its_item_asked_again(tmp_path, answered):
    out = await answered()
    whole = out.read_bytes()
    out.write_bytes(whole[:-20])
    speaker = Speaker()
    _, lines, notes = await go(tmp_path, speaker, "in.jsonl")
    assert notes == (f"the last line of {out} was written half and is cut off; its item is asked again",)
    assert speaker.asked == {"three": 1}
    assert [line["output"] for line in lines] == ["ONE", "TWO", "THREE"]


async def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path, answered):
    out = await answered()
    out.write_bytes(out.read_bytes()[:-1])
    speaker = Speaker()
    write_lines(tmp_path / "in.jsonl", ["one", "two", "three", "four"])
    _, lines, notes = await go(tmp_path, speaker, "in.jsonl")
    assert (notes, dict(speaker.asked)) == ((), {"four": 1})
    assert len(lines) == 4


async def test_a_line_that_cannot_be_read_is_named_and_its_item_asked_again(tmp_path, answered):
    out = await answered()
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    speaker = Speaker()
    _, lines, notes = await go(tmp_path, speaker, "in.jsonl")
    assert notes == (f"{out} line 2 cannot be read; its item is asked again",)
    assert speaker.asked == {"two": 1}
    assert [line["output"] for line in lines] == ["ONE", "TWO", "THREE"]


@pytest.mark.parametrize(
    "content", [b"a shopping list", b"bread\nbutter\n", b'{"id": 1, "name": "x"}\n', b"[1, 2]\n"]
)
def test_a_file_that_is_no_batchs_is_never_touched(tmp_path, content):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"no results? of a batch"), open_results(path, agent="loud"):
        pass
    assert path.read_bytes() == content
    assert [found.name for found in tmp_path.iterdir()] == ["list.txt"]


async def test_results_of_another_agent_version_or_input_are_refused(tmp_path, answered):
    out = await answered()
    before = out.read_bytes()
    for named, wrong in (
        ({"agent": "quiet"}, "holds results of the agent loud, not of quiet"),
        ({"agent": "loud", "inputs": ["other.jsonl"]}, "holds the results of .*in.jsonl, not of other.jsonl"),
    ):
        with pytest.raises(UsageError, match=wrong) as refused, open_results(out, **named):
            pass
        assert "--out" in refused.value.hint
    with open_results(out, agent="loud", version="a"):
        pass
    with (
        pytest.raises(UsageError, match="another version of loud"),
        open_results(out, agent="loud", version="b"),
    ):
        pass
    assert out.read_bytes() == before


async def test_without_the_file_beside_it_a_batch_still_goes_on(tmp_path, answered):
    out = await answered()
    out.with_name("results.jsonl.batch").unlink()
    with (
        pytest.raises(UsageError, match="line 1 is a result of the agent loud"),
        open_results(out, agent="quiet"),
    ):
        pass
    speaker = Speaker()
    await go(tmp_path, speaker, "in.jsonl")
    assert not speaker.asked


def test_two_batches_on_one_file_are_refused_with_the_number_of_the_other(tmp_path):
    out = tmp_path / "results.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with (
            pytest.raises(UsageError, match=f"process {other.pid} is writing it"),
            open_results(out, agent="loud"),
        ):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    with open_results(out, agent="loud") as (results, _):
        assert results.tally.items == 0, "the lock went with its process"


async def test_a_disk_that_keeps_nothing_ends_the_batch_at_once(tmp_path, monkeypatch):
    def broken(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    write_lines(tmp_path / "in.jsonl", [f"text {number}" for number in range(200)])
    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr("headgate.batches.opening.write_header", lambda file, header: None)
    speaker = Speaker(seconds=0.05)
    with pytest.raises(HeadgateError, match=r"the disk does not keep .*: Input/output error"):
        await go(tmp_path, speaker, "in.jsonl", at_once=4)
    assert len(speaker.asked) < 100


def test_a_full_disk_leaves_nothing_half_and_says_so(tmp_path, monkeypatch):
    out = tmp_path / "results.jsonl"
    with open_results(out, agent="loud") as (results, _):
        results.put(result(1))
        size = out.stat().st_size
        real = os.write

        def full(file: int, data: bytes) -> int:
            if len(data) < 50:
                raise OSError(28, "No space left on device")
            return real(file, data[:-20])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(HeadgateError, match="No space left on device"):
            results.put(result(2))
        assert out.stat().st_size == size
        monkeypatch.undo()
        results.put(result(2))
    assert [line["item"] for line in read_lines(out)] == [1, 2]


def test_the_newest_line_of_an_item_counts_and_money_is_counted_once(tmp_path):
    out = tmp_path / "results.jsonl"
    with open_results(out, agent="loud") as (results, _):
        results.put(result(2, status="failed", cost=0.25))
        results.put(result(1, cost=None))
        results.put(result(2, cost=0.75))
        assert (results.tally.items, results.tally.cost, results.tally.unknown) == (2, 0.75, 1)
    with open_results(out, agent="loud") as (results, _):
        tally = results.tally
        assert (tally.items, tally.cost, tally.unknown) == (2, 0.75, 1)
        assert +tally.statuses == {"ok": 2}
        assert [kept.item for kept in results] == [1, 2]
        results.finish(2)
        assert [line["item"] for line in read_lines(out)] == [1, 2]
        results.put(result(3))
        assert results.tally.items == 3
    assert [line["item"] for line in read_lines(out)] == [1, 2, 3]


def test_an_item_far_away_is_no_line_of_ours(tmp_path):
    out = tmp_path / "results.jsonl"
    out.write_text('{"item": 99999999999, "status": "ok", "agent": "loud", "digest": "00"}\n')
    with pytest.raises(UsageError, match="line 1 names item 99999999999"), open_results(out, agent="loud"):
        pass


def test_a_folder_is_no_results_file(tmp_path):
    with pytest.raises(UsageError, match="is no file"), open_results(tmp_path, agent="loud"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="locks files otherwise")
def test_a_drive_that_knows_no_locks_is_named(tmp_path, monkeypatch):
    import fcntl

    def without_locks(*_) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with (
        pytest.raises(UsageError, match=r"results\.jsonl\.batch cannot be locked: No locks available"),
        open_results(tmp_path / "results.jsonl", agent="loud"),
    ):
        pass
