"""A full disk costs no request until the queue is full, and is over when there is space again."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_samples import realistic

from headgate.ledger.writer import LedgerWriter


@pytest.fixture
def small_disk(tmp_path):
    """A file system of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def sound_rows(path):
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    (rows,) = db.execute("SELECT count(*) FROM requests").fetchone()
    db.close()
    return rows


def test_a_full_disk_is_waited_out_and_every_loss_is_counted(small_disk):
    path = small_disk / "ledger.db"
    writer = LedgerWriter(path, flush_every=0.01, queue_size=2_000)
    writer.start()
    first, later = list(realistic(500, seed=1)), list(realistic(4_000, seed=2))
    taken = sum(writer.put(outcome) for outcome in first)
    assert writer.flush()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):  # noqa: PT012 - the loop is what fills it
        while True:
            file.write(b"\0" * 4096)
    taken += sum(writer.put(outcome) for outcome in later)
    assert not writer.flush(0.5)
    assert "the disk is full" in writer.problem
    assert writer.lost >= 1_000
    assert writer.waiting <= 2_002

    filler.unlink()
    assert writer.flush()
    assert writer.problem is None
    writer.close()
    rows = sound_rows(path)
    assert rows == taken == writer.written
    assert rows + writer.lost == 4_500


LIMITED = """
import json, resource, sys
from pathlib import Path
from ledger_samples import realistic
from headgate.ledger.writer import LedgerWriter

writer = LedgerWriter(Path(sys.argv[1]), flush_every=0.01)
writer.start()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
for outcome in realistic(3_000):
    writer.put(outcome)
stuck = not writer.flush(1.0)
problem = writer.problem
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
freed = writer.flush()
after = writer.problem
writer.close()
print(json.dumps([stuck, problem, freed, after, writer.written, writer.lost]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_file_that_may_not_grow_is_a_problem_that_passes(path):
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    stuck, problem, freed, after, written, lost = json.loads(child.stdout)
    assert stuck
    assert "the ledger cannot be written" in problem
    assert (freed, after) == (True, None)
    assert (written, lost) == (3_000, 0)
    assert sound_rows(path) == 3_000
