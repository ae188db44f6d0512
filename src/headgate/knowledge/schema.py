"""The tables of a base, and how its file is opened.

What is indexed by words is kept apart from the text (an FTS5 table without content), so that it can be prepared for the
tokenizer. This module does not know what the rows mean to a search.
"""

import re
import sqlite3
from pathlib import Path
from typing import Final

from headgate.core.errors import HeadgateError

VERSION: Final = 1
APPLICATION: Final = 0x48474B42
"""The file's mark in its header: "HGKB"."""
BUSY: Final = 10.0
"""Seconds that a reader or writer waits for another."""

TOKENIZER: Final = "porter unicode61 remove_diacritics 2"
"""Letters and digits are words, whatever stands between them is not: "os.path.join" is three words in a row. Accents do not
count, and English endings neither ("refunds" is found by "refund")."""

WORDS: Final = (
    f"CREATE VIRTUAL TABLE words USING fts5 (name, heading, text, content = '', tokenize = '{TOKENIZER}')"
)
TABLES: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE folders (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    digest BLOB NOT NULL, chunk INTEGER NOT NULL, troubles TEXT NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    source TEXT NOT NULL, headings TEXT NOT NULL, text TEXT NOT NULL, line INTEGER, last_line INTEGER, page INTEGER,
    tokens INTEGER NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX chunks_of_file ON chunks (file);
CREATE INDEX chunks_by_digest ON chunks (digest);
CREATE TABLE vectors (digest BLOB NOT NULL UNIQUE, vector BLOB NOT NULL);
{WORDS};
"""

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Characters of scripts that are written without spaces: kana, Chinese characters, Hangul."""
UNSPACED: Final = re.compile(f"[{_UNSPACED}]+")
_APART: Final = re.compile(rf"(?<=[{_UNSPACED}])(?=\w)|(?<=\w)(?=[{_UNSPACED}])")


def apart(text: str) -> str:
    """A text as the tokenizer is given it: where a script has no spaces, each character is a word."""
    return text if text.isascii() else _APART.sub(" ", text)


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the file of a base; the connection may go from thread to thread, but is for one at a time.

    Raises:
        HeadgateError: it cannot be read, is no base, or is one of a newer Headgate.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    mode = "rwc" if create else "rw"
    try:
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            check(db, path)
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    return db


def check(db: sqlite3.Connection, path: Path) -> None:
    """See that the file is a base of this version; an empty one becomes it.

    Raises:
        HeadgateError: it is not.
    """
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == 0 and not db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        prepare(db)
    elif db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise HeadgateError(f"{path} is no knowledge base", "move it away, and add the folders again")
    elif found != VERSION:
        raise HeadgateError(
            f"the knowledge base {path} is of another version of Headgate ({found}, not {VERSION})",
            f"update Headgate, or: headgate kb rm {path.stem}, and add its folders again",
        )


def prepare(db: sqlite3.Connection) -> None:
    """Create the tables in an empty file."""
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(
        f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def unreadable(path: Path, error: sqlite3.Error) -> HeadgateError:
    """The error for a person when SQLite cannot use the file."""
    return HeadgateError(
        f"the knowledge base {path} cannot be used: {error}",
        f"if it is damaged: headgate kb rm {path.stem}, and add its folders again",
    )
