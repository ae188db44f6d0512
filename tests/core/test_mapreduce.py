"""Answers for the parts of one text, made one: lists joined, labels voted for, conflicts named, prose left to a model."""

import pytest

from headgate.core.mapreduce import group, join, merge_prompt, one_by_one, put, vote

LONG = "the customer was charged twice for one order and he wants all of it back before Friday"


def words(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("answers", "one"),
    [
        ([["a", "b"], ["b", "c"]], ["a", "b", "c"]),
        ([["Ship it."], ["ship  it"]], ["Ship it."]),
        ([{"n": None}, {"n": "Anna"}], {"n": "Anna"}),
        ([{"n": ""}, {"n": "Anna"}], {"n": "Anna"}),
        ([{"n": None}, {"n": None}], {"n": None}),
        ([{"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}], {"a": {"x": 1, "y": 2}}),
        ([{"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        ([None, {"a": 1}], {"a": 1}),
        ([{"n": 5}, {"n": 5.0}], {"n": 5}),
        ([[], []], []),
    ],
)
def test_what_agrees_becomes_one(answers, one):
    joined = join(answers)
    assert joined.value == one
    assert joined.conflicts == joined.prose == ()


def test_an_item_that_one_part_knows_more_of_is_completed_and_not_listed_twice():
    first = {"task": "Send the report", "owner": None, "due": "Friday"}
    second = {"task": "send the report.", "owner": "Anna", "due": None}
    other = {"task": "Call the client", "owner": "Anna", "due": None}
    assert join([[first], [second, other]]).value == [
        {"task": "Send the report", "owner": "Anna", "due": "Friday"},
        other,
    ]


def test_items_that_share_only_what_is_open_are_two():
    one, two = {"task": "a", "owner": None}, {"task": "b", "owner": None}
    assert join([[one], [two]]).value == [one, two]


def test_a_conflict_is_decided_by_the_most_parts_and_named():
    joined = join([{"amount": "12"}, {"amount": "13"}, {"amount": "13"}])
    assert joined.value == {"amount": "13"}
    assert joined.conflicts == ('amount: the parts say "12" (1), "13" (2); "13" is kept',)


def test_between_equals_the_earlier_part_decides():
    joined = join([{"urgent": False}, {"urgent": True}])
    assert joined.value == {"urgent": False}
    assert "true (1)" in joined.conflicts[0]


def test_true_and_one_are_not_the_same():
    assert join([{"n": True}, {"n": 1}]).conflicts


def test_prose_is_left_to_a_model_and_nothing_of_it_is_lost_until_then():
    joined = join([{"s": {"summary": LONG}}, {"s": {"summary": "It was late."}}])
    (prose,) = joined.prose
    assert prose.path == ("s", "summary")
    assert prose.texts == (LONG, "It was late.")
    assert LONG in joined.value["s"]["summary"]
    assert put(joined.value, prose.path, "merged") == {"s": {"summary": "merged"}}


def test_the_surest_part_of_the_label_that_won_has_the_last_word_and_lists_are_joined_all_the_same():
    joined = join([{"why": LONG, "ids": [1]}, {"why": LONG[::-1], "ids": [2]}], lead=1)
    assert joined.value == {"why": LONG[::-1], "ids": [1, 2]}
    assert joined.prose == joined.conflicts == ()


def test_parts_vote_with_their_probabilities():
    found = vote(
        [
            ("billing", {"billing": 0.55, "technical": 0.45}),
            ("billing", {"billing": 0.55, "technical": 0.45}),
            ("technical", {"billing": 0.02, "technical": 0.98}),
        ]
    )
    assert found.label == "technical", "one that is sure outweighs two that are not"
    assert found.tally == "technical 1.88, billing 1.12 of 3"
    assert found.probabilities["technical"] == pytest.approx(1.88 / 3)
    assert found.surest == 2


def test_a_part_without_probabilities_counts_whole():
    found = vote([("a", {}), ("b", {"b": 0.9, "a": 0.1}), ("a", {})])
    assert (found.label, found.surest) == ("a", 0)
    assert sum(found.probabilities.values()) == pytest.approx(1.0)


def test_answers_are_grouped_with_their_neighbours_as_far_as_they_fit():
    texts = ["one two", "three four", "five six", "seven " * 50, "eight"]
    assert group(texts, 22, words) == [[0, 1], [2], [3], [4]]
    assert group(["one"], 1, words) == [[0]]


def test_a_model_is_shown_all_answers_in_order():
    prompt = merge_prompt(["First.", "Second."])
    assert prompt.index("Part 1:\nFirst.") < prompt.index("Part 2:\nSecond.")
    assert "parts 1–2" in prompt
    assert one_by_one([("lines 1–3", "A"), ("lines 4–6", "B")]) == "[lines 1–3]\nA\n\n[lines 4–6]\nB"
