"""Python functions as tools: what a model is offered of them, and what becomes of a call."""

import asyncio
import enum
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import msgspec
import pytest

from headgate.workers.functions import Function, ToolError, read_docstring


@dataclass
class Address:
    street: str
    city: str = "Graz"


class Line(msgspec.Struct):
    article: str
    pieces: int = 1


class Colour(enum.Enum):
    RED = "red"


def everything(  # noqa: PLR0917
    text: str,
    number: int,
    ratio: float,
    sure: bool,
    names: list[str],
    fields: dict[str, int],
    mode: Literal["fast", "slow"],
    address: Address,
    lines: list[Line],
    colour: Colour = Colour.RED,
    limit: int | None = None,
    most: Annotated[int, msgspec.Meta(ge=1, description="at most so many")] = 10,
    tags: list[str] = ["a"],  # noqa: B006
) -> str:
    """Take everything.

    It is for a test.

    Args:
        text: what it says,
            on two lines.
        number (int): how many.

    Returns:
        what it got.
    """
    return repr(
        (
            text,
            number,
            address,
            lines,
            colour,
            limit,
            most,
            tags,
            type(ratio).__name__,
            mode,
            sure,
            names,
            fields,
        )
    )


def schema_of(function) -> dict[str, Any]:
    return msgspec.json.decode(Function("it", function).spec.parameters)


ARGUMENTS = {
    "text": "a",
    "number": 2,
    "ratio": 1,
    "sure": True,
    "names": ["x"],
    "fields": {"a": 1},
    "mode": "fast",
    "address": {"street": "Main"},
    "lines": [{"article": "pen"}],
}


def test_a_schema_says_all_that_signature_and_docstring_say():
    function = Function("it", everything)
    schema = msgspec.json.decode(function.spec.parameters)
    fields = schema["properties"]
    assert function.spec.description == "Take everything.\n\nIt is for a test."
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(ARGUMENTS)
    assert fields["text"] == {"type": "string", "description": "what it says, on two lines."}
    assert fields["number"]["description"] == "how many."
    assert fields["mode"]["enum"] == ["fast", "slow"]
    assert fields["address"]["properties"]["city"] == {"type": "string", "default": "Graz"}
    assert fields["lines"]["items"]["required"] == ["article"]
    assert fields["colour"]["enum"] == ["red"]
    assert fields["limit"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert fields["most"] == {
        "type": "integer",
        "minimum": 1,
        "description": "at most so many",
        "default": 10,
    }
    assert "$ref" not in str(schema), "small models do not follow references"


async def test_arguments_arrive_as_what_the_signature_says():
    said = await Function("it", everything).call(ARGUMENTS, 5)
    assert "Address(street='Main', city='Graz')" in said
    assert "Line(article='pen', pieces=1)" in said
    assert "'float'" in said, "a whole number is a ratio too"
    assert "['a']" in said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"number": "two"}, "$.number"),
        ({"mode": "warp"}, "Invalid enum value 'warp'"),
        ({"most": 0}, "`int` >= 1"),
        ({"address": {}}, "missing required field `street` - at `$.address`"),
        ({"extra": 1}, "unknown field `extra`"),
    ],
)
async def test_arguments_that_do_not_fit_are_told_with_their_place(change, told):
    with pytest.raises(ToolError, match="the arguments do not fit") as error:
        await Function("it", everything).call({**ARGUMENTS, **change}, 5)
    assert told in str(error.value)


async def test_a_number_in_quotes_is_taken_as_the_number():
    assert "'a', 2," in await Function("it", everything).call({**ARGUMENTS, "number": "2"}, 5)


def test_parameters_without_types_may_be_anything():
    assert schema_of(lambda x, y=1: x)["properties"] == {"x": {}, "y": {"default": 1}}


@dataclass
class Tree:
    inner: Optional["Tree"] = None


def takes_tree(tree: Tree) -> str:
    return ""


def takes_unknown(x: "Nowhere") -> str:  # noqa: F821
    return ""


def takes_thread(x: threading.Thread) -> str:
    return ""


def takes_many(*names: str) -> str:
    return ""


def takes_by_place(x: int, /) -> str:
    return ""


@pytest.mark.parametrize("function", [takes_tree, takes_unknown, takes_thread, takes_many, takes_by_place])
def test_what_no_schema_can_say_is_refused(function):
    with pytest.raises(TypeError):
        Function("it", function)


@pytest.mark.parametrize(
    ("docstring", "about", "parameters"),
    [
        ("", "", {}),
        ("Do it.", "Do it.", {}),
        (
            "Do it.\n\nArgs:\n    a: one.\n    b: two\n        more: of it.\n\nRaises:\n    X: no.",
            "Do it.",
            {"a": "one.", "b": "two more: of it."},
        ),
        ("Do it.\n\n:param a: one.\n:param int b: two.\n:returns: x", "Do it.", {"a": "one.", "b": "two."}),
    ],
)
def test_docstrings_in_two_styles_are_read(docstring, about, parameters):
    assert read_docstring(docstring) == (about, parameters)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"a": [1]}, '{"a":[1]}'),
        (Address("M"), '{"street":"M","city":"Graz"}'),
        (Line("p"), '{"article":"p","pieces":1}'),
    ],
)
async def test_a_result_is_a_text_or_json(result, text):
    assert await Function("it", lambda: result).call({}, 5) == text


async def test_a_result_that_is_no_json_is_an_error_for_the_model():
    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    with pytest.raises(ToolError, match="cannot be written as JSON"):
        await Function("it", lambda: round_and_round).call({}, 5)


async def raises_late():
    raise KeyError("k")


async def leaves():
    raise SystemExit


def stops():
    raise StopIteration


@pytest.mark.parametrize("function", [raises_late, leaves, stops])
async def test_whatever_a_function_raises_is_told_to_the_model(function):
    with pytest.raises(ToolError, match=r"KeyError|SystemExit|StopIteration"):
        await Function("it", function).call({}, 5)


async def test_a_plain_function_does_not_hold_up_the_gate():
    go = threading.Event()
    asyncio.get_running_loop().call_later(0.05, go.set)
    assert await Function("it", lambda: go.wait(20)).call({}, 30) == "true", "the loop went on meanwhile"


async def test_a_coroutine_from_a_plain_function_is_awaited():
    async def inner():
        return "inner"

    assert await Function("it", lambda: inner()).call({}, 5) == "inner"  # noqa: PLW0108


async def test_of_calls_that_hang_only_a_few_are_left_behind():
    go = threading.Event()
    function = Function("it", lambda: go.wait(20) and "gone")
    for _ in range(4):
        with pytest.raises(ToolError, match=r"longer than 0\.02 s"):
            await function.call({}, 0.02)
    with pytest.raises(ToolError, match="4 earlier calls have not ended"):
        await function.call({}, 0.02)
    go.set()
    async with asyncio.timeout(60):
        while function.hanging:
            await asyncio.sleep(0.01)
    assert await function.call({}, 5) == "gone"


async def test_a_functions_own_timeout_is_not_taken_for_ours():
    def fails():
        raise TimeoutError("the shop did not answer")

    with pytest.raises(ToolError, match="TimeoutError: the shop did not answer"):
        await Function("it", fails).call({}, 5)


HANGS = """
import asyncio, time
from headgate.workers.functions import Function, ToolError

async def main():
    try:
        await Function("it", lambda: time.sleep(60)).call({}, 0.1)
    except ToolError as error:
        print(error)

asyncio.run(main())
"""


def test_a_function_that_hangs_does_not_keep_the_gate_from_ending():
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "it took longer than 0.1 s\n"
