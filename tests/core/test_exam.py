"""The exam tells right answers from wrong ones, whatever form a right one comes in."""

import json
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.core.cards import PassRate
from headgate.core.exam import Marks, grade, parse_exam, tally
from headgate.core.types import Model, Reply, ToolCall, Usage
from headgate.core.words import TASKS

FILE = resources.files("headgate.fleet").joinpath("exam.toml")
ITEMS = {item.id: item for item in parse_exam(FILE.read_text(encoding="utf-8")).items}
RIGHT = tomllib.loads((Path(__file__).parents[1] / "data" / "exam_answers.toml").read_text(encoding="utf-8"))
MODEL = Model(name="m", engine="e", engine_kind="ollama", id="m", local=True)


def reply(answer):
    """What a model says: a text, or a call of a tool."""
    if isinstance(answer, str):
        return Reply(text=answer, usage=Usage(output=len(answer) // 4))
    call = ToolCall("c1", answer["name"], json.dumps(answer["arguments"]))
    return Reply(text="", tool_calls=(call,), finish="tool_calls", usage=Usage(output=20))


def mark(name, answer):
    return grade(ITEMS[name], reply(answer), MODEL)


@pytest.mark.parametrize("name", ITEMS)
def test_a_right_answer_is_right(name):
    verdict = mark(name, RIGHT[name])
    assert verdict.score == 1.0, verdict.reason


@pytest.mark.parametrize("name", ITEMS)
@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I can't help with that.",
        "Sure! Let me know whether there are more questions about it.",
        "it is it is it is it is it is it is it is it is it is it is it is it is it is it is it is it is",
        '["yes", "no"',
        "<think>Hmm, what do they want?",
        {"name": "delete_everything", "arguments": {}},
    ],
    ids=["nothing", "refusal", "chatter", "repetition", "half JSON", "only thought", "unknown tool"],
)
def test_no_item_takes_what_is_no_answer(name, answer):
    verdict = mark(name, answer)
    assert verdict.score == 0.0
    assert verdict.reason


@pytest.mark.parametrize("name", ITEMS)
def test_the_answer_to_another_question_of_the_same_part_is_wrong(name):
    item = ITEMS[name]
    others = [
        other
        for other in ITEMS.values()
        if other.part == item.part and other.id != name and not same(other.id, name)
    ]
    assert others
    taken = [other.id for other in others if mark(name, RIGHT[other.id]).score == 1.0]
    assert name == "schema-6" or not taken  # any object will do where no schema says more


def same(one, other):
    """Whether two items have the same right answer."""
    return (ITEMS[one].label or one) == (ITEMS[other].label or other)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("classification-1", "billing and technical"),
        ("classification-1", "I would say it is technical."),
        ("reasoning-1", "1,702.5"),
        ("reasoning-1", "37 * 46 = 1702, which is about 1700"),
        ("extraction-3", '{"invoice": "2027-0117", "total": 400}'),
        ("extraction-3", '{"invoice": "2027-0117", "total": 476, "vat": 76}'),
        ("extraction-3", '{"invoice": "2027-0117", "total": true}'),
        ("extraction-4", '{"dates": ["2027-02-17", "2027-02-03"]}'),
        ("summarization-1", "The team moves to Harbour Street and pays 19,750 euros a month from September."),
        (
            "summarization-5",
            "The library is geschlossen because the Stadtbücherei gets new heating in August.",
        ),
        ("translation-1", "The invoice must be paid by Friday."),
        ("code-1", "```python\ndef is_prime(n):\n    pass\n```"),
        ("code-1", "```python\ndef is_prime(a, b):\n    return True\n```"),
        ("code-1", "```python\ndef is_prime(n)\n    return True\n```"),
        ("code-1", "```python\ndef prime(n):\n    return True\n```"),
        ("code-1", "Use is_prime(n) from a library."),
        ("code-4", "```python\nclass Stack:\n    def push(self, item): ...\n```"),
        ("qa-4", "The symbol is Ag, also known as gaudium."),
        (
            "writing-3",
            "A thousand trees for a town that wanted to be greener and more shady in the hot summers to come",
        ),
        ("chat-2", "Good morning! Ahoy, we open at nine."),
        ("language-3", "Because the Erde dreht: the earth turns and the sun shines on one half of it only."),
        ("tools-1", {"name": "find_order", "arguments": {"number": "Lisbon"}}),
        ("tools-1", {"name": "get_weather", "arguments": {"city": "Porto"}}),
        ("tools-1", {"name": "get_weather", "arguments": {"town": "Lisbon"}}),
        ("tools-1", "The weather in Lisbon is sunny."),
        ("tools-6", {"name": "get_weather", "arguments": {"city": "4"}}),
        ("schema-2", '{"name": "France", "capital": "Paris", "population_millions": "68"}'),
    ],
)
def test_an_answer_that_misses_the_point_is_wrong(name, answer):
    assert mark(name, answer).score == 0.0


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("reasoning-1", "<think>37 * 46 is 40 * 46 - 3 * 46.</think>\nThe answer is 1,702."),
        ("extraction-2", '```json\n{"email": "T.Rivera@example.org", "name": "Tomás Rivera "}\n```'),
        ("extraction-3", '{"invoice": "2027-0117", "total": "476.00"}'),
        ("code-1", "```py\ndef is_prime(n: int, known=()) -> bool:\n    return n in known\n```"),
        ("tools-1", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Lisbon"}}\n</tool_call>'),
        (
            "tools-4",
            {
                "name": "add_event",
                "arguments": {"title": "Visit to the dentist", "date": "2027-03-03", "minutes": 45},
            },
        ),
        ("schema-1", 'Sure: {"category": "technical", "urgency": "high"}'),
    ],
)
def test_a_right_answer_may_come_in_another_form(name, answer):
    verdict = mark(name, answer)
    assert verdict.score == 1.0, verdict.reason


def test_an_answer_that_was_cut_is_wrong_even_if_it_begins_well():
    cut = replace(reply(RIGHT["qa-3"]), finish="length")
    assert grade(ITEMS["qa-3"], cut, MODEL).score == 0.0


def test_every_task_but_embedding_has_enough_items_to_be_scored_and_the_file_stays_small():
    counts = Counter(item.part for item in ITEMS.values())
    assert {task for task in TASKS if task in counts} == set(TASKS) - {"embedding"}
    assert all(6 <= counts[task] <= 10 for task in TASKS if task != "embedding")
    assert all(4 <= counts[part] <= 6 for part in ("schema", "tools"))
    assert {item.language for item in ITEMS.values() if item.part == "language"} >= {
        "en",
        "de",
        "fr",
        "es",
        "it",
    }
    assert any(item.calls == "" for item in ITEMS.values())
    assert len(FILE.read_bytes()) < 40_000
    assert set(RIGHT) == set(ITEMS)


def test_requests_of_the_exam_are_repeatable_bounded_and_stay_at_home():
    for item in ITEMS.values():
        request = item.request
        assert (request.temperature, request.seed, request.local_only) == (0.0, 1, True)
        assert request.max_tokens
        assert request.messages[-1].text == item.ask
        assert request.messages[-1].role == "user"
    turns = [message.role for message in ITEMS["chat-1"].request.messages]
    assert turns == ["user", "assistant", "user"]


def test_marks_count_what_was_asked_and_nothing_else():
    names = ("schema-1", "schema-2", "code-1", "code-2", "language-3", "language-9")
    results = [(ITEMS[name], name in ("schema-2", "language-9")) for name in names]
    assert tally(results) == Marks(
        schema=PassRate(1, 2),
        tools=None,
        tasks={"code": PassRate(0, 2)},
        languages={"de": PassRate(0, 1), "it": PassRate(1, 1)},
    )
    assert tally([]) == Marks(None, None, {}, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[most]\nqa = 9\n[[qa]]\nask = 'x'\nhsa = ['y']",
        "[most]\nqa = 9\n[[qa]]\nask = 'x'\ntools = ['gone']",
        "[most]\n[[poetry]]\nask = 'x'",
    ],
    ids=["empty", "unknown word", "unknown tool", "unknown part"],
)
def test_a_file_that_is_no_exam_is_refused(text):
    with pytest.raises((ValueError, KeyError)):
        parse_exam(text)
