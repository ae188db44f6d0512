"""Files that are no ledger of ours are refused with a hint, and left exactly as they were."""

import sqlite3
import subprocess
import sys

import pytest
from ledger_samples import realistic
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from headgate.core.errors import LedgerError
from headgate.ledger import schema
from headgate.ledger.opening import open_for_writing
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter


def refused(path):
    """What is said when the file is opened for writing and for reading; the file stays as it was."""
    before = path.read_bytes()
    said = []
    for door in (lambda: LedgerWriter(path).start(), lambda: LedgerReader(path)):
        with pytest.raises(LedgerError) as caught:
            door()
        said.append((caught.value.message, caught.value.hint))
    assert path.read_bytes() == before
    assert said[0] == said[1]
    return said[0]


def test_a_ledger_from_a_newer_headgate_is_refused_and_not_touched(store, path):
    store(realistic(3))
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()
    message, hint = refused(path)
    assert "newer Headgate" in message
    assert "upgrade" in hint


def test_a_file_that_is_no_database_is_refused_and_not_touched(path):
    path.parent.mkdir()
    path.write_bytes(b"Dear diary,\n" * 500)
    message, hint = refused(path)
    assert "damaged or is no ledger" in message
    assert "mv " in hint


def test_a_ledger_with_a_torn_header_is_refused_and_not_touched(store, path):
    store(realistic(50))
    content = bytearray(path.read_bytes())
    content[:16] = b"\0" * 16
    path.write_bytes(content)
    message, _ = refused(path)
    assert "damaged" in message


def test_another_programs_database_is_refused_and_not_touched(path):
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    message, _ = refused(path)
    assert "another program" in message


def test_pages_damaged_before_a_crash_are_found_at_the_next_start(store, path):
    store(realistic(2_000))
    db = sqlite3.connect(path)
    db.execute("UPDATE runs SET clean = NULL, ended = NULL")  # as a crash leaves it
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096 * 20] = b"\xa5" * (4096 * 20)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged"):
        LedgerWriter(path).start()
    assert path.stat().st_size == len(content)


def test_a_missing_ledger_is_named_to_a_reader_and_not_made(path):
    with pytest.raises(LedgerError, match="no ledger at"):
        LedgerReader(path)
    assert not path.exists()


def test_the_same_tables_can_be_made_on_postgresql():
    made = [
        str(CreateTable(table).compile(dialect=postgresql.dialect()))
        for table in schema.metadata.sorted_tables
    ]
    (attempts,) = [sql for sql in made if "CREATE TABLE attempts" in sql]
    assert len(made) == len(schema.metadata.tables)
    assert "PRIMARY KEY (request, position)" in attempts
    assert "WITHOUT ROWID" not in attempts
    assert "cost BIGINT" in attempts


def test_what_others_open_and_close_takes_no_row_from_a_writer(path):
    """Had the second opening in this process given up its locks, the stranger would remove the log that it writes into."""
    count = f"import sqlite3; db = sqlite3.connect({str(path)!r}); print(db.execute('SELECT count(*) FROM requests').fetchone()[0])"

    def seen_by_a_stranger():
        return int(
            subprocess.run([sys.executable, "-c", count], capture_output=True, check=True, text=True).stdout
        )

    writer = LedgerWriter(path)
    writer.start()
    first, second = realistic(2)
    writer.put(first)
    writer.flush()
    open_for_writing(path).close()
    assert seen_by_a_stranger() == 1
    writer.put(second)
    writer.flush()
    assert seen_by_a_stranger() == 2
    writer.close()
