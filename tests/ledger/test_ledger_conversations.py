"""A kept conversation is read as it was said, whichever way it branched, and never in part."""

import sqlite3

import pytest
from ledger_samples import realistic
from msgspec.structs import replace
from test_ledger_crashes import kill_at

from headgate.core.types import Image, Message, Text, ToolCall, Turn
from headgate.ledger import schema
from headgate.ledger.conversations import read_conversation
from headgate.ledger.queries import LedgerReader
from headgate.ledger.writer import LedgerWriter

SEEN = (
    Message("user", (Text("What is\x00 this? é\n"), Image("data:image/png;base64,AA=="))),
    Message("assistant", "", (ToolCall("c1", "look", '{"at": 1}'),), reasoning="Hm."),
)
ANSWERED = (Message("tool", "a cat", tool_call_id="c1"), Message("assistant", "A cat."))
DOUBTED = (Message("tool", "a dog", tool_call_id="c1"), Message("assistant", "A dog."))


def turns(*kept, local=False):
    """Outcomes with these turns: (id, id of the one before, messages)."""
    samples = realistic(len(kept))
    return [
        replace(
            sample, id=name, turn=Turn(before, messages), signals=replace(sample.signals, local_only=local)
        )
        for sample, (name, before, messages) in zip(samples, kept, strict=True)
    ]


@pytest.fixture
def conversation(path):
    """Reads the messages of the conversation that a request ends, or None."""

    def read(name):
        with LedgerReader(path) as ledger:
            found = read_conversation(ledger, name)
        return found and found.messages

    return read


def test_a_conversation_is_read_as_it_was_said(store, conversation):
    store(turns(("r1", "", SEEN), ("r2", "r1", ANSWERED), ("r3", "r1", DOUBTED), ("r4", "", ANSWERED)))
    assert conversation("r1") == SEEN
    assert conversation("r2") == SEEN + ANSWERED
    assert conversation("r3") == SEEN + DOUBTED
    assert conversation("r4") == ANSWERED


def test_a_long_conversation_is_read_in_order(store, conversation):
    said = [(Message("user", str(number)),) for number in range(300)]
    store(turns(*[(f"r{n}", f"r{n - 1}" if n else "", messages) for n, messages in enumerate(said)]))
    assert conversation("r299") == tuple(message for (message,) in said)


def test_a_conversation_of_which_something_is_missing_is_not_found(store, conversation):
    (alone,) = realistic(1)
    store([*turns(("r2", "r1", ANSWERED), ("r3", "r2", DOUBTED)), replace(alone, id="alone")])
    assert conversation("r3") is None
    assert conversation("nobody") is None
    assert conversation("alone") is None


def test_a_promise_to_stay_at_home_is_found_wherever_it_was_given(store, path):
    store([*turns(("r1", "", SEEN), local=True), *turns(("r2", "r1", ANSWERED), ("r3", "", SEEN))])
    with LedgerReader(path) as ledger:
        assert read_conversation(ledger, "r2").local_only
        assert not read_conversation(ledger, "r3").local_only


def test_after_a_kill_9_every_request_that_is_there_has_its_turn(path):
    kill_at(path, 3_000)
    with LedgerReader(path) as ledger:
        kept = [entry.outcome.id for entry in ledger.all()]
        assert kept
        assert all(read_conversation(ledger, name).messages[0].content == name for name in kept)


def test_a_ledger_of_an_earlier_version_is_given_what_it_lacks(store, path, read, conversation):
    store(realistic(3))
    db = sqlite3.connect(path)
    db.execute("DROP TABLE turns")
    db.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    db.commit()
    db.close()
    writer = LedgerWriter(path)
    writer.start()
    writer.put(turns(("r1", "", SEEN))[0])
    writer.close()
    assert writer.lost == 0
    assert len(read()) == 4
    assert conversation("r1") == SEEN
