"""The answers that are remembered in memory: for how long, and how many of them."""

import pytest

from headgate.core.types import Message, ToolCall
from headgate.gateway.recent import RecentAnswers, size_of

ANSWER = Message("assistant", "Fine, thank you.")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_found_with_its_privacy_by_the_id_of_its_request():
    recent = RecentAnswers()
    recent.note("r1", ANSWER, local_only=False)
    recent.note("r2", Message("assistant", "Secret."), local_only=True)
    assert (recent.find("r1").answer, recent.find("r1").local_only) == (ANSWER, False)
    assert (recent.find("r2").answer.text, recent.find("r2").local_only) == ("Secret.", True)
    assert recent.find("r3") is None


def test_an_answer_is_forgotten_with_time_and_its_memory_is_given_back():
    clock = Clock()
    recent = RecentAnswers(keep_for=60, clock=clock)
    recent.note("r1", ANSWER, local_only=False)
    clock.now += 40
    recent.note("r2", ANSWER, local_only=False)
    clock.now += 20
    assert recent.find("r1") is not None
    clock.now += 1
    assert recent.find("r1") is None
    assert recent.find("r2") is not None
    assert recent.size == size_of(ANSWER)
    clock.now += 40
    assert recent.find("r2") is None
    assert recent.size == 0


def test_the_oldest_answers_make_room_for_new_ones():
    recent = RecentAnswers(most_bytes=3 * size_of(ANSWER))
    for number in range(5):
        recent.note(f"r{number}", ANSWER, local_only=False)
        assert recent.size <= 3 * size_of(ANSWER)
    assert [number for number in range(5) if recent.find(f"r{number}")] == [2, 3, 4]


def test_an_answer_larger_than_all_there_is_room_for_pushes_none_out():
    recent = RecentAnswers(most_bytes=10_000)
    recent.note("r1", ANSWER, local_only=False)
    recent.note("r2", Message("assistant", "x" * 10_000), local_only=False)
    assert recent.find("r2") is None
    assert recent.find("r1") is not None


LONG = "x" * 5_000


@pytest.mark.parametrize(
    "answer",
    [
        Message("assistant", LONG),
        Message("assistant", reasoning=LONG),
        Message("assistant", tool_calls=(ToolCall("c1", "f", LONG),)),
    ],
    ids=["words", "thoughts", "calls"],
)
def test_whatever_an_answer_is_made_of_counts(answer):
    assert size_of(answer) >= 5_000
