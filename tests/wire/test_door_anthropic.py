"""The door for Anthropic's Messages: what callers ask becomes ours, and answers are what Anthropic's own client reads."""

import json

import anthropic
import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_upstream_streams import DEEP
from upstream_values import a_model, named_events, read_stream, sent

from headgate.core.types import Delta, Failure, Format, Image, Message, Reply, Request, Text, ToolCall, Usage
from headgate.engines.profiles import ANTHROPIC_RULES, adjustments
from headgate.wire.doors import About, deltas_of
from headgate.wire.doors.anthropic_messages import Messages, TokenCount
from headgate.wire.faults import Fault
from headgate.wire.upstream.anthropic_messages import AnthropicMessages

Raw = msgspec.Raw
DOOR = Messages()
UPSTREAM = AnthropicMessages(ANTHROPIC_RULES)
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
LOOK = {"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {}}}
MARK = {"type": "ephemeral"}


def claude(model_id=HAIKU, **fields):
    return a_model(model_id, engine_kind="anthropic", **fields)


def body_of(messages="Is 7 prime?", **fields):
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    asked = {"model": "auto", "max_tokens": 100, "messages": messages} | fields
    return json.dumps({name: value for name, value in asked.items() if value is not ...}).encode()


def read(messages="Is 7 prime?", **fields) -> Request:
    request = DOOR.decode_request(body_of(messages, **fields), "r1")
    assert isinstance(request, Request), request
    return request


def refused(body: bytes) -> Fault:
    fault = DOOR.decode_request(body, "r1")
    assert isinstance(fault, Fault)
    assert fault.status == 400
    assert fault.hint
    return fault


def turn(*blocks, role="user"):
    return {"role": role, "content": list(blocks)}


def text(words, **more):
    return {"type": "text", "text": words} | more


def thinking(words, signature):
    return {"type": "thinking", "thinking": words, "signature": signature}


def tool_use(call_id="t1", name="look", **given):
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def tool_result(*content, call_id="t1", **more):
    return {"type": "tool_result", "tool_use_id": call_id, "content": list(content)} | more


# ── What callers ask ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_plain_field_becomes_ours():
    request = read(
        stream=True, temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END"], metadata={"user_id": "u"}
    )
    assert (request.id, request.asked, request.max_tokens, request.stream) == ("r1", "auto", 100, True)
    assert (request.temperature, request.top_p, request.top_k, request.stop) == (0.5, 0.9, 40, ("END",))
    assert (request.dialect, request.include_usage) == ("anthropic", True)
    assert request.messages == (Message("user", "Is 7 prime?"),)
    assert request.extra == {"metadata": Raw(b'{"user_id": "u"}')}


@pytest.mark.parametrize("system", ["Be short.", [text("Be short.", cache_control=MARK)]])
def test_the_system_prompt_is_the_first_message_and_keeps_its_bytes(system):
    request = read(system=system)
    assert request.messages[0] == Message("system", "Be short.")
    assert json.loads(bytes(request.raw_system)) == system


def test_a_system_message_in_the_middle_stands_where_it_stood():
    request = read([*turns("One."), {"role": "system", "content": "Be kind."}, *turns("Two.")])
    assert [message.role for message in request.messages] == ["user", "system", "user"]


def turns(*texts):
    return [{"role": "user", "content": words} for words in texts]


def test_blocks_become_texts_and_images():
    address = {"type": "url", "url": "https://example.com/cat.png"}
    images = ({"type": "image", "source": PIXEL}, {"type": "image", "source": address})
    (message,) = read([turn(text("What?"), *images)]).messages
    assert message.content == (
        Text("What?"),
        Image("data:image/png;base64,iVBORw0KGgo="),
        Image("https://example.com/cat.png"),
    )
    assert read([turn(text("What?"))]).messages == (Message("user", "What?"),)


def test_calls_and_results_of_tools_become_messages_of_their_own():
    request = read(
        [
            *turns("Look."),
            turn(text("I will."), tool_use(at=1), tool_use("t2", "hear"), role="assistant"),
            turn(tool_result(text("a cat")), tool_result(call_id="t2"), text("And?")),
        ]
    )
    assert request.messages[1:] == (
        Message("assistant", "I will.", (ToolCall("t1", "look", '{"at": 1}'), ToolCall("t2", "hear", "{}"))),
        Message("tool", "a cat", tool_call_id="t1"),
        Message("tool", "", tool_call_id="t2"),
        Message("user", "And?"),
    )


def test_the_result_of_a_tool_may_be_text_blocks_or_an_image_and_a_failed_one_says_so():
    def result(content, **more):
        block = {"type": "tool_result", "tool_use_id": "t1", "content": content} | more
        return read([turn(block)]).messages[0].content

    assert result("a cat") == "a cat"
    picture = result([text("this"), {"type": "image", "source": PIXEL}])
    assert picture == (Text("this"), Image("data:image/png;base64,iVBORw0KGgo="))
    assert result("no such file", is_error=True) == "The tool failed: no such file"
    assert result([text("a"), text("b")], is_error=True) == (Text("The tool failed:"), Text("a"), Text("b"))


def test_thoughts_that_are_given_back_are_kept_for_engines_that_want_them():
    request = read(
        [*turns("Hm?"), turn(thinking("well", "c2VhbA=="), text("Yes."), role="assistant"), *turns("So?")]
    )
    assert request.messages[1] == Message("assistant", "Yes.", reasoning="well")


@pytest.mark.parametrize(
    ("asked", "ours", "parallel"),
    [
        ({"type": "auto"}, b'"auto"', None),
        ({"type": "any", "disable_parallel_tool_use": True}, b'"required"', False),
        ({"type": "none"}, b'"none"', None),
        ({"type": "tool", "name": "look"}, b'{"type":"function","function":{"name":"look"}}', None),
    ],
)
def test_tools_and_the_choice_among_them_become_ours(asked, ours, parallel):
    request = read(tools=[LOOK | {"strict": True}], tool_choice=asked)
    (tool,) = request.tools
    assert (tool.name, tool.description, tool.strict) == ("look", "looks", True)
    assert json.loads(bytes(tool.parameters)) == LOOK["input_schema"]
    assert (bytes(request.tool_choice), request.parallel_tools) == (ours, parallel)


@pytest.mark.parametrize(
    ("fields", "effort", "extra"),
    [
        ({"thinking": {"type": "disabled"}}, "none", {}),
        ({"thinking": {"type": "adaptive"}}, None, {"thinking": {"type": "adaptive"}}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"}},
            "low",
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "high", "task_budget": 7}},
            "none",
            {"output_config": {"effort": "high", "task_budget": 7}},
        ),
    ],
)
def test_thinking_and_effort_become_ours_and_what_is_left_of_them_is_kept(fields, effort, extra):
    request = read(**fields)
    assert request.effort == effort
    assert {name: json.loads(bytes(value)) for name, value in request.extra.items()} == extra


def test_an_asked_schema_is_kept_as_the_callers_bytes():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = read(output_config={"format": {"type": "json_schema", "schema": schema}}).format
    assert wanted == Format("schema", Raw(json.dumps(schema).encode()))


@pytest.mark.parametrize(
    ("fields", "native"),
    [
        ({"messages": [turn({"type": "document", "source": {}}, text("Sum up."))]}, "a document"),
        ({"messages": [turn({"type": "search_result", "source": "x", "content": []})]}, "a search result"),
        ({"messages": [turn({"type": "image", "source": {"type": "file", "file_id": "f"}})]}, "a file"),
        (
            {"messages": [turn({"type": "web_search_tool_result", "content": {}}, role="assistant")]},
            "the work of Anthropic's own tools",
        ),
        ({"messages": [turn(tool_result({"type": "document", "source": {}}))]}, "a document"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "the tool web_search"),
        ({"mcp_servers": [{"url": "https://example.com"}]}, "MCP servers"),
    ],
)
def test_what_only_anthropic_can_do_is_named_and_never_dropped(fields, native):
    request = read(**fields)
    assert request.native == (native,)
    assert request.raw_messages is not None


def test_redacted_thinking_does_not_bind_a_conversation_to_anthropic():
    request = read(
        [*turns("Hm?"), turn({"type": "redacted_thinking", "data": "x"}, text("Yes."), role="assistant")]
    )
    assert request.native == ()
    assert request.messages[1] == Message("assistant", "Yes.")


def test_counting_needs_no_limit_on_the_answer():
    counted = TokenCount().decode_request(body_of(max_tokens=...), "r1")
    assert isinstance(counted, Request)
    assert counted.max_tokens is None
    assert json.loads(TokenCount().encode_count(12)) == {"input_tokens": 12}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"model":"auto","max_tokens":1,"messages":[{"role":"user","content":"\xff"}]}', "not valid JSON"),
        (b'{"model":"auto","max_tokens":1,"messages": [{"role": "user", "content": ""}], "x": ' + b"[" * 100_000, "not valid JSON"),
        (body_of(max_tokens=...), "max_tokens is missing"),
        (body_of(model=...), "model is missing"),
        (body_of(model=""), "model is empty"),
        (body_of(model=7), "model: expected `str`, got `int`"),
        (body_of(messages=[]), "messages is empty"),
        (body_of(max_tokens=0), "at least 1"),
        (body_of(max_tokens=-5), "at least 1"),
        (body_of(max_tokens="5"), "max_tokens: expected `int`, got `str`"),
        (body_of(temperature=1.5), "between 0 and 1"),
        (body_of(top_k=-1), "at least 0"),
        (body_of(thinking={"type": "deep"}), "thinking.type"),
        (body_of(output_config={"effort": "minimal"}), "output_config.effort"),
        (body_of(output_config={"format": {"type": "json_schema"}}), "output_config.format.schema is missing"),
        (body_of(tools=[{"name": "look"}]), "tools[0].input_schema is missing"),
        (body_of(tools=[{"input_schema": {}}]), "tools[0].name is missing"),
        (body_of(tools=[LOOK], tool_choice={"type": "tool", "name": "hear"}), '"hear", which is none of tools'),
        (body_of(tool_choice={"type": "some"}), "tool_choice.type"),
        (body_of([{"role": "robot", "content": "x"}]), "messages[0].role"),
        (body_of([{"role": "user"}]), "messages[0].content is missing"),
        (body_of([turn({"type": "smell"})]), "'smell', which is none of text"),
        (body_of([turn({"text": "x"})]), "messages[0].content[0].type is missing"),
        (body_of([*turns("a"), turn({"type": "text"})]), "messages[1]: a text block has no text"),
        (body_of([turn({"type": "image"})]), "source of an image"),
        (body_of([turn({"type": "image", "source": {"type": "base64"}})]), "neither base64"),
        (body_of([turn(tool_use())]), "belongs to the assistant"),
        (body_of([turn(tool_result(), role="assistant")]), "belongs to the user"),
        (body_of([turn({"type": "tool_use", "name": "look", "id": "t"} | {"input": 7}, role="assistant")]), "object"),
        (body_of([turn({"type": "tool_result"})]), "no tool_use_id"),
        (body_of([turn({"type": "tool_result", "tool_use_id": "t", "content": 7})]), "content of a tool_result"),
        (body_of([turn({"type": "image", "source": PIXEL}, role="system")]), "text alone"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(body, words):
    assert words in refused(body).message


def test_large_and_odd_but_right_requests_are_taken():
    many = [LOOK | {"name": f"tool_{number}"} for number in range(1000)]
    assert len(read(tools=many).tools) == 1000
    assert read("a\x00b").messages[0].text == "a\x00b"
    picture = {"type": "base64", "media_type": "image/png", "data": "A" * 20_000_000}
    (message,) = read([turn({"type": "image", "source": picture})]).messages
    assert len(message.images[0].url) > 20_000_000


# ── Through the door and out to Anthropic ────────────────────────────────────────────────────────────────────────────

MARKED = b"""[ {"role": "user", "content": [{"type":"text", "text":"Read \\u00e9.", "cache_control":{"type":"ephemeral"}}]},
 {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2VhbA=="},{"type":"tool_use","id":"t1",
 "name":"look","input":{"a": 1.0}}]}, {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x"}]} ]"""


def carried(messages: bytes, model=None, **fields) -> tuple[bytes, Request]:
    """The bytes that go out for a conversation that came in as these bytes."""
    asked = json.dumps({"model": "auto", "max_tokens": 100} | fields).encode()
    request = DOOR.decode_request(asked[:-1] + b',"messages":' + messages + b"}", "r1")
    assert isinstance(request, Request), request
    out = UPSTREAM.encode_request(request, model or claude(), stream=False)
    assert isinstance(out, bytes)
    return out, request


def test_a_conversation_goes_to_anthropic_in_the_callers_own_bytes():
    system, tools = (
        [text("Be short.", cache_control=MARK)],
        [LOOK, {"type": "web_search_20250305", "name": "web_search"}],
    )
    out, request = carried(MARKED, system=system, tools=tools, metadata={"user_id": "u"})
    assert MARKED.strip() in out
    assert json.dumps(system).encode() in out
    assert json.dumps(tools).encode() in out
    assert json.loads(out).keys() == {"model", "max_tokens", "messages", "system", "tools", "metadata"}
    assert UPSTREAM.adjustments(request, claude()) == ()


def test_thinking_under_our_seal_is_not_shown_to_anthropic_and_all_else_stays():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
    messages = [
        turn(document, text("Sum up.")),
        turn(thinking("local", "headgate"), text("So."), role="assistant"),
        turn(text("Why?")),
        turn(thinking("local", "headgate"), role="assistant"),
        turn(text("And?")),
        turn(thinking("paid", "c2VhbA=="), text("Because."), role="assistant"),
        turn(text("Oh.")),
    ]
    out, request = carried(json.dumps(messages).encode())
    assert b"local" not in out
    assert json.loads(out)["messages"] == [
        messages[0],
        turn(text("So."), role="assistant"),
        *(messages[number] for number in (2, 4, 5, 6)),
    ]
    assert request.messages[1].reasoning == "local"


def test_what_anthropic_would_refuse_and_we_can_mend_is_written_anew():
    blank, _ = carried(json.dumps([turn(text("Hi.")), turn(text(" "))]).encode())
    assert json.loads(blank)["messages"] == [{"role": "user", "content": "Hi."}]
    nested, _ = carried(json.dumps([*called(), turn(tool_result(text(" "), text("a cat")))]).encode())
    assert json.loads(nested)["messages"][-1]["content"][0]["content"] == [text("a cat")]
    spaced, _ = carried(json.dumps([*turns("Count."), {"role": "assistant", "content": "1, 2, "}]).encode())
    assert json.loads(spaced)["messages"][-1] == {"role": "assistant", "content": "1, 2,"}
    lost, _ = carried(json.dumps([turn(tool_result(text("a cat")))]).encode())
    assert b"tool_result" not in lost


def called(*before):
    """A question, and the call that it led to."""
    return turn(text("Look.")), turn(*before, tool_use(), role="assistant")


def test_blank_text_is_taken_out_and_neither_marks_nor_seals_are_lost_by_it():
    begun, asking = called(thinking("paid", "c2VhbA=="), text("\n\n"))
    given = turn(tool_result(text("a cat"), cache_control=MARK))
    out, request = carried(json.dumps([begun, asking, given]).encode(), tools=[LOOK])
    asking["content"].pop(1)
    assert json.loads(out)["messages"] == [begun, asking, given]
    assert UPSTREAM.adjustments(request, claude()) == ()


def test_a_conversation_written_anew_is_marked_for_the_cache_again_and_its_lost_seals_are_named():
    lost = turn(tool_result(text("a cat"), call_id="gone", cache_control=MARK))
    messages = [*called(thinking("paid", "c2VhbA==")), turn(tool_result(text("a dog"))), lost]
    system = [text("Be short.", cache_control=MARK)]
    _, request = carried(json.dumps(messages).encode(), system=system, tools=[LOOK])
    request = msgspec.structs.replace(request, cache=True)
    out = json.loads(UPSTREAM.encode_request(request, claude(), stream=False))
    assert out["system"] == "Be short."
    assert out["cache_control"] == MARK
    notes = UPSTREAM.adjustments(request, claude())
    assert [note.partition(":")[0] for note in notes] == ["messages", "thinking in messages"]


def test_a_conversation_that_begins_or_ends_wrongly_is_framed_around_the_callers_bytes():
    turns_ = b'[{"role": "assistant","content":"Hi."}, {"role":"user","content":"Count."},{"role":"assistant","content":"1,"}]'
    out, request = carried(turns_, claude(SONNET))
    assert turns_[1:-1] in out
    assert [message["content"] for message in json.loads(out)["messages"]] == [
        "Continue.", "Hi.", "Count.", "1,", "Continue.",
    ]  # fmt: skip
    assert len(UPSTREAM.adjustments(request, claude(SONNET))) == 2
    prefilled, _ = carried(turns_, claude(HAIKU))
    assert json.loads(prefilled)["messages"][-1]["role"] == "assistant"


@pytest.mark.parametrize("system", ["Be short.", [text("Be short.", cache_control=MARK)], None])
def test_orders_of_ours_are_put_after_the_callers_system_prompt(system):
    fields = {
        "tools": [LOOK],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    }
    out = json.loads(
        carried(b'[{"role":"user","content":"Hi."}]', claude(SONNET), system=system, **fields)[0]
    )
    order = 'Call the tool "look".'
    if isinstance(system, list):
        assert out["system"] == [*system, text(order)]
    else:
        assert out["system"] == f"{system}\n\n{order}" if system else out["system"] == order
    assert out["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_thinking_and_output_reach_anthropic_as_far_as_the_model_takes_them():
    def out(model=HAIKU, **fields):
        body = json.loads(carried(b'[{"role":"user","content":"Hi."}]', claude(model), **fields)[0])
        return body.get("thinking"), body.get("output_config")

    assert out(thinking={"type": "adaptive"}) == ({"type": "adaptive"}, None)
    assert out(thinking={"type": "enabled", "budget_tokens": 50})[0]["budget_tokens"] == 50
    assert out(thinking={"type": "enabled", "budget_tokens": 500}) == (None, None)
    assert out(SONNET, thinking={"type": "disabled"}) == ({"type": "between_tools"}, None)
    assert out(output_config={"effort": "high", "task_budget": 7})[1] == {"effort": "high", "task_budget": 7}
    assert out("claude-haiku-4-5", output_config={"effort": "high"})[1] is None


def test_a_prompt_is_marked_for_the_cache_unless_the_caller_marked_it_himself():
    def marks(messages=None, **fields):
        request = msgspec.structs.replace(read(messages or "Hi.", **fields), cache=True)
        return sent(UPSTREAM, request, claude()).get("cache_control")

    assert marks() == MARK
    assert marks(cache_control={"type": "ephemeral", "ttl": "1h"}) == {"type": "ephemeral", "ttl": "1h"}
    assert marks([turn(text("Hi.", cache_control=MARK))]) is None
    assert marks(system=[text("Hi.", cache_control=MARK)]) is None
    assert marks(tools=[LOOK | {"cache_control": MARK}]) is None


def test_engines_of_other_dialects_are_told_what_they_can_be_and_the_rest_is_named():
    request = read(thinking={"type": "adaptive"}, metadata={"user_id": "u"})
    notes = adjustments(request, a_model("llama", engine_kind="openai"))
    assert [note.partition(":")[0] for note in notes] == ["metadata", "thinking"]


# ── What callers are answered ────────────────────────────────────────────────────────────────────────────────────────

ABOUT = About(read(), "llama3.1:8b", 1_700_000_000.0, 11)
USAGE = Usage(input=10, cache_read=90, cache_write_5m=4, cache_write_1h=1, output=5, reasoning=2)
CALLS = (ToolCall("call:1", "look", '{"at":1}'), ToolCall("", "hear", "{}"))
PLAIN = Reply(text="Yes.", usage=USAGE)
BLOCKS = [
    thinking("hm", "c2VhbA=="),
    {"type": "redacted_thinking", "data": "eA=="},
    {"type": "text", "text": "Yes", "citations": [{"type": "char_location", "cited_text": "y", "document_index": 0,
     "document_title": None, "start_char_index": 0, "end_char_index": 1, "file_id": None}]},
    {"type": "text", "text": "."},
    {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}},
]  # fmt: skip
OWN = Reply(
    text="Yes.",
    reasoning="hm",
    tool_calls=(ToolCall("t1", "look", '{"at":1}'),),
    finish="tool_calls",
    usage=USAGE,
    blocks=Raw(json.dumps(BLOCKS, separators=(",", ":")).encode()),
)
REPLIES = {
    "text": PLAIN,
    "nothing": Reply(text="", usage=Usage(input=1)),
    "thoughts": Reply(text="Yes.", reasoning="hm", usage=USAGE),
    "calls": Reply(text="Let me see.", tool_calls=CALLS, finish="tool_calls", usage=USAGE),
    "cut": Reply(text="Ye", finish="length", usage=USAGE),
    "stopped": Reply(text="Ye", stopped_by="s", usage=USAGE),
    "refused": Reply(text="No.", finish="content_filter", usage=USAGE),
    "anthropic's own": OWN,
}


def streamed(reply: Reply) -> bytes:
    encoder = DOOR.stream_encoder(ABOUT)
    return b"".join([*(encoder.delta(delta) for delta in deltas_of(reply)), encoder.end(reply)])


def understood(body: bytes, *, stream: bool = False, status: int = 200) -> anthropic.types.Message:
    """What Anthropic's own client makes of an answer."""
    kind = "text/event-stream" if stream else "application/json"
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(status, content=body, headers={"content-type": kind})
    )
    client = anthropic.Anthropic(api_key="x", http_client=httpx2.Client(transport=transport), max_retries=0)
    asked = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi."}]}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


@pytest.mark.parametrize("name", REPLIES)
def test_a_streamed_answer_is_the_whole_one_in_the_eyes_of_anthropics_client(name):
    whole = understood(DOOR.encode_reply(REPLIES[name], ABOUT)).to_dict()
    pieces = understood(streamed(REPLIES[name]), stream=True).to_dict()
    for unsaid in ("service_tier", "cache_creation"):
        whole["usage"].pop(unsaid)
    assert json.loads(json.dumps(pieces)) == json.loads(json.dumps(whole))


def test_an_answer_is_a_message_with_cached_tokens_beside_the_prompt():
    message = understood(DOOR.encode_reply(PLAIN, ABOUT))
    assert (message.id, message.type, message.role, message.model) == (
        "msg_r1",
        "message",
        "assistant",
        "llama3.1:8b",
    )
    assert message.content[0].text == "Yes."
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        10,
        90,
        5,
    )
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (5, 2)
    assert usage.cache_creation.ephemeral_1h_input_tokens == 1


@pytest.mark.parametrize(
    ("name", "reason", "sequence"),
    [
        ("text", "end_turn", None),
        ("calls", "tool_use", None),
        ("cut", "max_tokens", None),
        ("stopped", "stop_sequence", "s"),
        ("refused", "refusal", None),
    ],
)
def test_why_the_model_stopped_is_said_in_anthropics_words(name, reason, sequence):
    message = understood(DOOR.encode_reply(REPLIES[name], ABOUT))
    assert (message.stop_reason, message.stop_sequence) == (reason, sequence)


def test_calls_have_objects_and_ids_that_may_be_given_back_to_anthropic():
    calls = understood(DOOR.encode_reply(REPLIES["calls"], ABOUT)).content[1:]
    assert [(call.id, call.name, call.input) for call in calls] == [
        ("call_1", "look", {"at": 1}),
        ("toolu_r1_1", "hear", {}),
    ]


def test_thoughts_of_other_models_go_out_under_our_seal():
    block = understood(streamed(REPLIES["thoughts"]), stream=True).content[0]
    assert (block.thinking, block.signature) == ("hm", "headgate")


def test_an_answer_of_anthropics_own_goes_out_in_its_own_bytes():
    assert bytes(OWN.blocks) in DOOR.encode_reply(OWN, ABOUT)
    assert [block.to_dict() for block in understood(streamed(OWN), stream=True).content][:2] == BLOCKS[:2]


def test_an_answer_that_was_mended_since_is_not_sent_as_it_was():
    mended = msgspec.structs.replace(OWN, text="No.")
    assert [
        block.text for block in understood(DOOR.encode_reply(mended, ABOUT)).content if block.type == "text"
    ] == ["No."]
    assert b"Yes" not in streamed(mended)


def test_every_block_is_closed_before_the_next_begins():
    encoder = DOOR.stream_encoder(ABOUT)
    deltas = (
        Delta(reasoning="a"), Delta(signature="s1"), Delta(reasoning="b"), Delta("x"),
        Delta(tool_index=0, tool_id="t", tool_name="look"), Delta(tool_index=0, tool_arguments='{"a":'),
        Delta(tool_index=0, tool_arguments="1}"), Delta("y"),
    )  # fmt: skip
    raw = b"".join([*(encoder.delta(delta) for delta in deltas), encoder.end(PLAIN)])
    events = [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: ")]
    assert events[0]["message"]["usage"]["input_tokens"] == 11
    open_block = None
    for event in events:
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
        elif event["type"].startswith("content_block"):
            assert event["index"] == open_block
            if event["type"] == "content_block_stop":
                open_block = None
    message = understood(raw, stream=True)
    assert [block.type for block in message.content] == ["thinking", "thinking", "text", "tool_use", "text"]
    assert [block.signature for block in message.content[:2]] == ["s1", "headgate"]
    assert message.content[3].input == {"a": 1}


def test_an_error_in_the_middle_makes_anthropics_client_raise():
    encoder = DOOR.stream_encoder(ABOUT)
    raw = encoder.delta(Delta("Ye")) + encoder.fail(Fault(status=502, message="it broke off", hint="again"))
    with pytest.raises(anthropic.APIStatusError, match="it broke off"):
        understood(raw, stream=True)
    assert b"message_stop" not in raw


def test_a_sign_of_life_before_the_answer_is_passed_over():
    message = understood(DOOR.keep_alive(ABOUT) + streamed(PLAIN), stream=True)
    assert message.content[0].text == "Yes."


@pytest.mark.parametrize("name", [name for name in REPLIES if name != "nothing"])
def test_a_stream_of_ours_is_read_again_wherever_it_is_cut(name):
    raw = streamed(REPLIES[name])
    request, model = ABOUT.request, claude(ABOUT.model)
    for cut in range(len(raw) + 1):
        decoder = UPSTREAM.stream_decoder(request, model)
        deltas = [*decoder.feed(raw[:cut]), *decoder.feed(raw[cut:])]
        reply = decoder.finish()
        assert isinstance(reply, Reply), (cut, reply)
        again = DOOR.stream_encoder(ABOUT)
        assert b"".join([*(again.delta(delta) for delta in deltas), again.end(reply)]) == raw
        assert streamed(reply) == raw


WORDS = st.sampled_from(
    ["type", "text", "thinking", "tool_use", "tool_result", "input", "content", "citations", "source", "id"]
)
JSON = st.recursive(
    st.none() | st.integers(0, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=10,
)


@settings(deadline=None)
@given(
    value=st.binary(max_size=60) | JSON.map(body_of) | JSON.map(msgspec.json.encode) | st.sampled_from(DEEP)
)
def test_whatever_a_caller_sends_becomes_a_request_or_a_fault(value):
    assert isinstance(DOOR.decode_request(value, "r1"), Request | Fault)


@settings(deadline=None)
@given(blocks=st.lists(st.dictionaries(WORDS, JSON, max_size=5) | st.sampled_from(BLOCKS), max_size=3) | JSON)
def test_whatever_content_an_engine_sends_can_be_told_or_is_a_failure(blocks):
    usage, model = {"input_tokens": 1, "output_tokens": 1}, claude(ABOUT.model)
    message = {
        "type": "message",
        "model": ABOUT.model,
        "content": blocks,
        "stop_reason": "end_turn",
        "usage": usage,
    }
    whole = UPSTREAM.decode_reply(json.dumps(message).encode(), ABOUT.request, model)
    events = [{"type": "message_start", "message": message | {"content": []}}]
    for index, block in enumerate(blocks if isinstance(blocks, list) else [blocks]):
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_stop", "index": index},
        ]
    events += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]
    for reply in (whole, read_stream(UPSTREAM, [named_events(*events)], ABOUT.request, model)[1]):
        if isinstance(reply, Reply):
            assert json.loads(DOOR.encode_reply(reply, ABOUT))["type"] == "message"
            assert streamed(reply).endswith(b'{"type":"message_stop"}\n\n')
        else:
            assert isinstance(reply, Failure)
