"""Tool calls: held against their schemas, and recovered where they came as text or nearly fit."""

import time

import msgspec
import pytest
from build_answer import build
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.checks import CHECKS, may_become_call, recover
from headgate.core.types import ToolCall

WEATHER = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
FILE = {
    "name": "write_file",
    "parameters": {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "content": {"type": "string"},
            "mode": {"type": ["string", "integer"]},
            "options": {"type": "object"},
        },
        "required": ["path", "content"],
    },
}
NOW = {"name": "now", "parameters": {}}
TOOLS = [WEATHER, FILE, NOW]
GHENT = ToolCall("call_r1_0", "get_weather", '{"city": "Ghent"}')
valid_tool_calls = CHECKS["valid-tool-calls"]


def recovered(text, **facts):
    return recover(build(text, **{"tools": TOOLS} | facts))


def called(reply):
    return [(call.name, msgspec.json.decode(call.arguments)) for call in reply.tool_calls]


# ── The check ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_tools_and_calls_there_is_no_evidence():
    assert valid_tool_calls(build("It is sunny.")).score is None


def test_a_schema_that_cannot_be_used_is_not_the_models_fault():
    for schema in (b'{"type": 5}', {"$ref": "http://127.0.0.1:9/schema.json"}):
        tools = [{"name": "get_weather", "parameters": schema}, NOW]
        verdict = valid_tool_calls(build("", tools=tools, calls=[("get_weather", "{}")]))
        assert verdict.score is None
        assert "cannot be used" in verdict.reason
        with_fault = build("", tools=tools, calls=[("get_weather", "{}"), ("now", "[]")])
        assert valid_tool_calls(with_fault).score == 0.0


def test_arguments_of_another_shape_are_worth_more_than_none_at_all():
    assert valid_tool_calls(build("", tools=TOOLS, calls=[("get_weather", '{"city": 3}')])).score == 0.3
    assert valid_tool_calls(build("", tools=TOOLS, calls=[("get_weather", "Ghent")])).score == 0.0


def test_the_reason_names_the_tool_and_the_place():
    verdict = valid_tool_calls(build("", tools=TOOLS, calls=[("get_weather", '{"city": 3, "days": "x"}')]))
    assert "get_weather" in verdict.reason
    assert "at city" in verdict.reason
    assert "1 more" in verdict.reason


@pytest.mark.parametrize("choice", ["auto", {"type": "auto"}, "every", 5, ["required"], {"function": "x"}])
def test_a_choice_that_demands_nothing_lets_the_model_answer_in_words(choice):
    assert valid_tool_calls(build("It is sunny.", tools=TOOLS, tool_choice=choice)).score is None


# ── Calls in the text ────────────────────────────────────────────────────────────────────────────────────────────────

ARGUMENTS = '{"city": "Ghent"}'
ONE_CALL = {
    "bare, arguments": '{"name": "get_weather", "arguments": {"city": "Ghent"}}',
    "bare, parameters": '{"name": "get_weather", "parameters": {"city": "Ghent"}}',
    "bare, type function": '{"type": "function", "name": "get_weather", "parameters": {"city": "Ghent"}}',
    "bare, function is the name": '{"function": "get_weather", "arguments": {"city": "Ghent"}}',
    "bare, a list": '[{"name": "get_weather", "arguments": {"city": "Ghent"}}]',
    "bare, arguments as a text": '{"name": "get_weather", "arguments": "{\\"city\\": \\"Ghent\\"}"}',
    "bare, its last bracket forgotten": '{"name": "get_weather", "arguments": {"city": "Ghent"}',
    "bare, single quotes": "{'name': 'get_weather', 'arguments': {'city': 'Ghent'}}".replace(
        "'name'", '"name"'
    ),
    "bare, after a thought": '<think>{"city"?}</think>\n{"name": "get_weather", "arguments": {"city": "Ghent"}}',
    "bare, with an end sign": '{"name": "get_weather", "arguments": {"city": "Ghent"}}<|eot_id|>',
    "OpenAI, function": '{"function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Ghent\\"}"}}',
    "OpenAI, tool_calls": '{"tool_calls": [{"id": "x", "type": "function", '
    '"function": {"name": "get_weather", "arguments": {"city": "Ghent"}}}]}',
    "fenced": '```json\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n```',
    "fenced, no language": '```\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n```',
    "fenced, one line": '```json {"name": "get_weather", "arguments": {"city": "Ghent"}}```',
    "fenced, as a tool call": '```tool_call\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n```',
    "Hermes": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n</tool_call>',
    "Hermes, never closed": '<tool_call>{"name": "get_weather", "arguments": {"city": "Ghent"}}',
    "Hermes, a bracket forgotten": '<tool_call>{"name": "get_weather", "arguments": {"city": "Ghent"}</tool_call>',
    "Llama, function": '<function=get_weather>{"city": "Ghent"}</function>',
    "Llama, function in quotes": '<function="get_weather">{"city": "Ghent"}</function>',
    "Llama, python tag": '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Ghent"}}<|eom_id|>',
    "Qwen3-Coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nGhent\n</parameter>\n</function>\n</tool_call>",
    "Mistral, a list": '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Ghent"}}]',
    "Mistral, spaced": '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Ghent"}}]',
    "Mistral, named": '[TOOL_CALLS]get_weather{"city": "Ghent"}',
    "Mistral, named with ARGS": '[TOOL_CALLS]get_weather[ARGS]{"city": "Ghent"}',
    "Mistral, named with CALL_ID": '[TOOL_CALLS]get_weather[CALL_ID]a1b2c3d4e[ARGS]{"city": "Ghent"}',
}


@pytest.mark.parametrize("text", ONE_CALL.values(), ids=ONE_CALL)
def test_a_call_that_came_back_as_text_becomes_a_real_one(text):
    reply = recovered(text)
    assert called(reply) == [("get_weather", {"city": "Ghent"})]
    assert (reply.text, reply.finish) == ("", "tool_calls")
    assert reply.tool_calls[0].id == "call_r1_0"
    assert (
        valid_tool_calls(
            build("", tools=TOOLS, calls=[(c.name, c.arguments) for c in reply.tool_calls])
        ).score
        == 1
    )


SEVERAL = {
    "Hermes": '<tool_call>{"name": "now"}</tool_call>\n<tool_call>{"name": "get_weather", "arguments": {"city": "Ghent"}}</tool_call>',
    "Hermes, in one": '<tool_call>{"name": "now"}\n{"name": "get_weather", "arguments": {"city": "Ghent"}}</tool_call>',
    "Llama, function": '<function=now></function><function=get_weather>{"city": "Ghent"}</function>',
    "Llama, python tag": '<|python_tag|>{"name": "now", "parameters": {}}; {"name": "get_weather", "parameters": {"city": "Ghent"}}',
    "bare, a list": '[{"name": "now", "arguments": {}}, {"name": "get_weather", "arguments": {"city": "Ghent"}}]',
    "bare, one after the other": '{"name": "now", "arguments": null}\n{"name": "get_weather", "arguments": {"city": "Ghent"}}',
    "fences": '```json\n{"name": "now", "arguments": {}}\n```\n```json\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n```',
    "Mistral": '[TOOL_CALLS]now{}[TOOL_CALLS]get_weather{"city": "Ghent"}',
}


@pytest.mark.parametrize("text", SEVERAL.values(), ids=SEVERAL)
def test_several_calls_keep_their_order_and_get_ids_of_their_own(text):
    reply = recovered(text)
    assert called(reply) == [("now", {}), ("get_weather", {"city": "Ghent"})]
    assert [call.id for call in reply.tool_calls] == ["call_r1_0", "call_r1_1"]


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ('Let me look.\n<tool_call>{"name": "now"}</tool_call>', "Let me look."),
        ('Let me look. <tool_call>{"name": "now"}</tool_call>', "Let me look."),
        ('<tool_call>{"name": "now"}</tool_call>\nOne moment.', "One moment."),
        ('Let me look.[TOOL_CALLS][{"name": "now", "arguments": {}}]', "Let me look."),
        ('Let me look.\n```json\n{"name": "now", "arguments": {}}\n```', "Let me look."),
    ],
)
def test_the_words_around_a_call_are_kept(text, prose):
    reply = recovered(text)
    assert called(reply) == [("now", {})]
    assert reply.text == prose


def test_values_between_parameter_tags_become_what_the_tool_takes():
    text = (
        "<tool_call>\n<function=write_file>\n<parameter=path>\n007\n</parameter>\n"
        '<parameter=content>\n{"a": 1}\n\n```\nline\n```\n</parameter>\n<parameter=mode>\n420\n</parameter>\n'
        '<parameter=options>\n{"force": true}\n</parameter>\n</function>\n</tool_call>'
    )
    content = '{"a": 1}\n\n```\nline\n```'
    arguments = {"path": "007", "content": content, "mode": 420, "options": {"force": True}}
    assert called(recovered(text)) == [("write_file", arguments)]


def test_tags_and_fences_inside_arguments_are_only_text():
    content = "```html\n<tool_call></tool_call>\n```"
    arguments = {"path": "a.md", "content": content}
    call = msgspec.json.encode({"name": "write_file", "arguments": arguments}).decode()
    for text in (f"<tool_call>{call}</tool_call>", call, f"```json\n{call}\n```"):
        assert called(recovered(text)) == [("write_file", arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is sunny in Ghent.",
        "You can call get_weather with a city.",
        '{"city": "Ghent"}',
        '{"name": "get_weather"}',
        '{"name": "get_weather", "arguments": "Ghent"}',
        '{"name": "get_weather", "arguments": {"city": "Ghent"}, "comment": "an example"}',
        '{"name": "search_web", "arguments": {"q": "Ghent"}}',
        '[{"name": "now", "arguments": {}}, {"name": "search_web", "arguments": {}}]',
        '{"name": "get_weather", "arguments": {"town": "Ghent"',
        "[a link](https://example.com) to the weather",
        '[{"city": "Ghent"}, {"city": "Bruges"}]',
        'The answer is {"name": "get_weather", "arguments": {"city": "Ghent"}}.',
        '{"name": "get_weather", "arguments": {"city": "Ghent"}} is what you send.',
        '```json\n{"name": "search_web", "arguments": {}}\n```',
        'Call it so:\n```json\n{"name": "get_weather", "arguments": {"city": "Ghent"}}\n```\nThen read the answer.',
        'For example:\n```json\n{"name": "get_weather", "arguments": {"city": "YOUR CITY", "unit": "C"}}\n```',
        '```python\ncall = {"name": "now", "arguments": {}}\n```',
        '```json\n{"name": "now", "arguments": {}}\n```\n```python\nprint(1)\n```',
        'Qwen writes `<tool_call>{"name": "now"}</tool_call>`.',
        'Qwen writes <tool_call>{"name": "now"}</tool_call> into its text.',
        'Qwen writes:\n```\n<tool_call>{"name": "now"}</tool_call>\n```',
        "<tool_call>now()</tool_call>",
        "<tool_call>",
        "<function=now",
        "<function=now>hello</function>",
        "[TOOL_CALLS] is a token of Mistral's.",
        "<|python_tag|>print(1)",
    ],
)
def test_an_answer_that_only_talks_about_calls_stays_as_it_is(text):
    answer = build(text, tools=TOOLS)
    assert recover(answer) is answer.reply


@pytest.mark.parametrize(
    "facts",
    [
        {"tools": []},
        {"tools": TOOLS, "tool_choice": "none"},
        {"tools": TOOLS, "finish": "length"},
        {"tools": TOOLS, "finish": "content_filter"},
        {"tools": TOOLS, "calls": [("now", "{}")]},
        {"tools": TOOLS, "format": "json"},
    ],
    ids=["no tools", "none wanted", "out of tokens", "filtered", "a real call", "JSON asked"],
)
def test_a_call_in_the_text_is_left_where_it_may_not_be_one(facts):
    answer = build(ONE_CALL["bare, arguments"], **facts)
    assert recover(answer) is answer.reply


def test_a_marked_call_is_a_call_also_where_json_was_asked_for():
    assert called(recovered(ONE_CALL["Hermes"], format="json")) == [("get_weather", {"city": "Ghent"})]


def test_a_call_in_the_text_with_wrong_arguments_becomes_a_call_that_the_check_refuses():
    answer = build(
        '<tool_call>{"name": "get_weather", "arguments": {"town": "Ghent"}}</tool_call>', tools=TOOLS
    )
    reply = recover(answer)
    assert called(reply) == [("get_weather", {"town": "Ghent"})]
    assert valid_tool_calls(msgspec.structs.replace(answer, reply=reply)).score == 0.3


# ── Arguments that nearly fit ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        '"{\\"city\\": \\"Ghent\\"}"',
        '{"city": "Ghent"',
        "{'city': 'Ghent'}",
        '{"city": "Ghent",}',
        ' {city: "Ghent"} ',
        "\"{city: 'Ghent'}\"",
    ],
)
def test_arguments_that_nearly_fit_are_mended(arguments):
    reply = recovered("", calls=[("now", "{}"), ("get_weather", arguments)])
    assert called(reply) == [("now", {}), ("get_weather", {"city": "Ghent"})]
    assert [call.id for call in reply.tool_calls] == ["c1", "c2"]


def test_no_arguments_become_an_empty_object_where_that_fits():
    assert recovered("", calls=[("now", "")]).tool_calls == (ToolCall("c1", "now", "{}"),)


@pytest.mark.parametrize(
    ("arguments", "finish"),
    [
        ('{"city": "Ghent", "days": 2}', "tool_calls"),
        ('{"city":  "Ghent"}', "tool_calls"),
        ('{"town": "Ghent"}', "tool_calls"),
        ("Ghent", "tool_calls"),
        ("[1", "tool_calls"),
        ("", "tool_calls"),
        ('"Ghent"', "tool_calls"),
        ("\ud800", "tool_calls"),
        ('{"city": "Gh', "length"),
        ('{"city": ' + "[" * 60, "tool_calls"),
        ('{"city": "' + "x" * 40_000, "tool_calls"),
    ],
)
def test_arguments_that_fit_or_cannot_be_made_to_are_left_as_they_are(arguments, finish):
    answer = build("", tools=TOOLS, calls=[("get_weather", arguments)], finish=finish)
    assert recover(answer) is answer.reply


def test_a_call_to_an_unknown_tool_is_left_as_it_is():
    answer = build("", tools=TOOLS, calls=[("search_web", "{'q': 1}")])
    assert recover(answer) is answer.reply


# ── Any text ─────────────────────────────────────────────────────────────────────────────────────────────────────────

PIECES = [
    *("{", "}", "[", "]", '"name"', ":", '"now"', '"arguments"', "{}", "null", "1", "\\", "```", "```json\n"),
    *("<tool_call>", "</tool_call>", "<function=", "now>", "</function>", "<parameter=x>", "</parameter>"),
    *("[TOOL_CALLS]", "[ARGS]", "<|python_tag|>", "<think>", "</think>", "\n", " ", "ü", '"tool_calls"'),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_no_text_raises_and_what_is_recovered_is_always_a_call_to_an_offered_tool(text):
    answer = build(text, tools=TOOLS)
    reply = recover(answer)
    assert {call.name for call in reply.tool_calls} <= {"get_weather", "write_file", "now"}
    assert all(isinstance(msgspec.json.decode(call.arguments), dict) for call in reply.tool_calls)
    assert "the check itself failed" not in valid_tool_calls(answer).reason
    may_become_call(text)


HOSTILE = [
    *("{" * 30_000, "[{" * 20_000, '{"a":' * 8_000, "<tool_call>" * 5_000, "<tool_call>{" * 4_000),
    *(
        "<function=now><parameter=x>" * 3_000,
        "[TOOL_CALLS]now" * 4_000,
        "`<tool_call>" * 4_000,
        "```" * 20_000,
    ),
    *('<tool_call>{"name": "now"}</tool_call>' * 1_500, '<tool_call>{"name": "now"</tool_call>' * 1_500),
    *("<|python_tag|>" * 4_000, "</s> " * 15_000, '{"name": "now", "arguments": {}};' * 2_000),
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:28]))
def test_no_text_takes_more_than_linear_time(text):
    answer = build(text, tools=TOOLS)
    started = time.process_time()
    recover(answer)
    valid_tool_calls(answer)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "opening",
    [
        '{"name"',
        "\n [",
        "<tool",
        "```json",
        "Let me look.\n<tool_call>",
        'I will.\n```json\n{"name',
        "So:[TOOL_CALLS]",
    ],
)
def test_an_opening_that_may_become_a_call_is_seen(opening):
    assert may_become_call(opening)


@pytest.mark.parametrize(
    "opening", ["", "Ghent is a city.", "a < b", "So:\n```python\nprint({})", "f(x) = [1]"]
)
def test_an_opening_of_words_is_none(opening):
    assert not may_become_call(opening)
