"""OpenAI's Responses as values: what is understood, what is refused, and what a client's own decoder makes of our bytes."""

import json

import pytest
from msgspec import Raw
from openai import omit
from openai._streaming import SSEDecoder
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from headgate.core.types import Delta, Image, Message, Reply, Request, Text, ToolCall, Usage
from headgate.wire import faults
from headgate.wire.doors import About, Referring, deltas_of
from headgate.wire.doors.openai_responses import InputTokens, Responses
from headgate.wire.faults import Fault

DOOR = Responses()
EVENTS = TypeAdapter(ResponseStreamEvent)
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Of a town",
    "parameters": {"type": "object"},
    "strict": True,
}


def understood(**more) -> Request:
    body = json.dumps({"model": "auto", "input": "How are you?"} | more).encode()
    request = DOOR.decode_request(body, "r1")
    assert isinstance(request, Request), request
    return request


def refused(**more) -> Fault:
    body = json.dumps({"model": "auto", "input": "How are you?"} | more).encode()
    fault = DOOR.decode_request(body, "r1")
    assert isinstance(fault, Fault)
    assert fault.hint
    return fault


def test_a_text_is_what_the_user_says_and_instructions_come_before_it():
    request = understood(instructions="Be brief.")
    assert request.messages == (Message("system", "Be brief."), Message("user", "How are you?"))
    assert request.said == 1


def test_every_word_that_can_be_had_arrives():
    request = understood(
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stream=True,
        reasoning={"effort": "low", "summary": "auto"},
        text={"verbosity": "low", "format": {"type": "json_object"}},
        parallel_tool_calls=False,
        top_logprobs=3,
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        truncation="disabled",
        background=False,
        metadata={"team": "north"},
        user="u1",
        prompt_cache_key="k",
        store=False,
        previous_response_id="resp_0123",
        seed=7,
    )
    assert (request.max_tokens, request.temperature, request.top_p, request.effort) == (9, 0.5, 0.9, "low")
    assert (request.stream, request.parallel_tools, request.logprobs, request.top_logprobs) == (
        True,
        False,
        True,
        3,
    )
    assert request.format.kind == "json"
    assert (request.previous, request.store) == ("0123", False)
    assert {name: json.loads(bytes(value)) for name, value in request.extra.items()} == {
        "verbosity": "low",
        "user": "u1",
        "prompt_cache_key": "k",
        "seed": 7,
    }


def test_items_of_one_answer_become_one_message():
    request = understood(
        input=[
            {"role": "developer", "content": "Be kind."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {
                "type": "reasoning",
                "id": "rs_2",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "Ah."}],
            },
            {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "gAAAA"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "reasoning", "id": "rs_4", "summary": [{"type": "summary_text", "text": "And."}]},
            {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": '{"at":"Ulm"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "sun"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "rain"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
                ],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            {"role": "assistant", "content": "Well, yes."},
        ]
    )
    calls = (ToolCall("c1", "weather", "{}"), ToolCall("c2", "weather", '{"at":"Ulm"}'))
    assert request.messages == (
        Message("developer", "Be kind."),
        Message("user", (Text("Weather?"),)),
        Message("assistant", "I look.", calls, reasoning="Hm.\n\nAh.\n\nAnd."),
        Message("tool", "sun", tool_call_id="c1"),
        Message("tool", (Text("rain"), Image("data:image/png;base64,AA==")), tool_call_id="c2"),
        Message("assistant", "No."),
        Message("assistant", "Well, yes."),
    )


def test_tools_and_their_choice_take_the_form_of_chat():
    request = understood(tools=[TOOL], tool_choice={"type": "function", "name": "weather"})
    (tool,) = request.tools
    assert (tool.name, tool.description, tool.strict) == ("weather", "Of a town", True)
    assert json.loads(bytes(tool.parameters)) == {"type": "object"}
    assert json.loads(bytes(request.tool_choice)) == {"type": "function", "function": {"name": "weather"}}
    assert bytes(understood(tools=[TOOL], tool_choice="required").tool_choice) == b'"required"'


def test_only_the_allowed_tools_are_offered():
    other = TOOL | {"name": "news", "parameters": None}
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "news"}]}
    request = understood(tools=[TOOL, other], tool_choice=allowed)
    assert [tool.name for tool in request.tools] == ["news"]
    assert bytes(request.tool_choice) == b'"required"'


def test_a_schema_is_flat_here():
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    request = understood(
        text={"format": {"type": "json_schema", "name": "sum", "schema": schema, "strict": True}}
    )
    assert (request.format.kind, request.format.name) == ("schema", "sum")
    assert json.loads(bytes(request.format.schema)) == schema


REFUSED = {
    "background": ({"background": True}, "background", "on the spot"),
    "a conversation": ({"conversation": "conv_1"}, "conversation", "kept by OpenAI"),
    "a template": ({"prompt": {"id": "pmpt_1"}}, "prompt", "kept by OpenAI"),
    "compaction": ({"context_management": [{"type": "compaction"}]}, "context_management", "not shortened"),
    "moderation": ({"moderation": {"model": "omni"}}, "moderation", "moderated"),
    "truncation": ({"truncation": "auto"}, "truncation", "no prompt is cut"),
    "its own tools": ({"tools": [TOOL, {"type": "web_search"}, {"type": "mcp"}]}, "tools", "mcp, web_search"),
    "a nested tool": ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools", "no name"),
    "a forced search": ({"tool_choice": {"type": "web_search"}}, "tool_choice", "web_search"),
    "a strange choice": ({"tool_choice": "maybe"}, "tool_choice", "maybe"),
    "a tool not offered": ({"tool_choice": {"type": "function", "name": "fly"}}, "tool_choice", "none of"),
    "what it found": ({"include": ["file_search_call.results"]}, "include", "file_search_call.results"),
    "an effort": ({"reasoning": {"effort": "heroic"}}, "reasoning.effort", "heroic"),
    "no schema": (
        {"text": {"format": {"type": "json_schema", "name": "x"}}},
        "text.format.schema",
        "missing",
    ),
    "a word of chat": ({"max_tokens": 5}, "max_tokens", "Chat Completions"),
    "messages": ({"messages": []}, "messages", "Chat Completions"),
    "a file": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "input",
        "input_file",
    ),
    "a kept image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input",
        "file_id",
    ),
    "a reference to nothing": ({"input": [{"type": "item_reference"}]}, "input", "needs the id"),
    "thoughts alone": ({"input": [{"type": "reasoning", "summary": []}]}, "input", "missing"),
    "an item": ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input", "web_search_call"),
    "a tool's role": ({"input": [{"role": "tool", "content": "x"}]}, "input", "function_call_output"),
    "no role": ({"input": [{"content": "x"}]}, "input", "role"),
    "no call_id": ({"input": [{"type": "function_call_output", "output": "x"}]}, "input", "call_id"),
    "a nameless call": ({"input": [{"type": "function_call", "call_id": "x"}]}, "input", "name"),
    "an empty part": ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input", "no text"),
    "no input": ({"input": None}, "input", "missing"),
    "an empty input": ({"input": []}, "input", "missing"),
    "no model": ({"model": None}, "model", "missing"),
    "a number": ({"input": 5}, "input", "got `int`"),
    "few tokens": ({"max_output_tokens": 0}, "max_output_tokens", "at least 1"),
    "much logprobs": ({"top_logprobs": 21}, "top_logprobs", "between 0 and 20"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_refused_by_name(case):
    more, param, words = REFUSED[case]
    fault = refused(**more)
    assert (fault.status, fault.param) == (400, param)
    assert words in fault.message


def test_a_caller_who_goes_on_need_not_say_anything():
    assert understood(input=None, previous_response_id="resp_1").messages == ()


# ── References ───────────────────────────────────────────────────────────────────────────────────────────────────────

TWO_CALLS = (ToolCall("c1", "weather", "{}"), ToolCall("c2", "weather", '{"at":"Ulm"}'))
EARLIER = {
    "e1": Message("assistant", "I look.", TWO_CALLS, reasoning="Hm."),
    "e2": Message("assistant", "It rains."),
}
USER = {"role": "user", "content": "Weather?"}


def named(*ids: str) -> list[dict[str, str]]:
    return [{"type": "item_reference", "id": name} for name in ids]


def referring(*items, door=DOOR, **more) -> Referring:
    found = door.decode_request(json.dumps({"model": "auto", "input": items} | more).encode(), "r1")
    assert isinstance(found, Referring), found
    return found


def test_references_say_which_answers_they_need_and_become_the_message_that_it_was():
    found = referring(
        USER,
        *named("rs_e1_0", "msg_e1_0", "fc_e1_0", "fc_e1_1"),
        {"type": "function_call_output", "call_id": "c1", "output": "sun"},
        {"type": "function_call_output", "call_id": "c2", "output": "rain"},
        *named("msg_e2_0"),
        {"role": "user", "content": "Still?"},
        instructions="Be brief.",
    )
    assert found.answers == {"e1", "e2"}
    request = found.read(EARLIER)
    assert request.messages == (
        Message("system", "Be brief."),
        Message("user", "Weather?"),
        EARLIER["e1"],
        Message("tool", "sun", tool_call_id="c1"),
        Message("tool", "rain", tool_call_id="c2"),
        EARLIER["e2"],
        Message("user", "Still?"),
    )
    assert request.said == 6


def test_references_stand_beside_whole_items_and_may_come_without_a_type():
    call = {"type": "function_call", "id": "fc_e1_1", "call_id": "c2", "name": "news", "arguments": "{}"}
    request = referring(USER, {"id": "msg_e1_0"}, call).read(EARLIER)
    assert request.messages[1] == Message("assistant", "I look.", (ToolCall("c2", "news", "{}"),))


def test_what_was_said_in_several_items_is_there_once():
    request = referring(USER, *named("msg_e2_0", "rs_e1_0", "rs_e1_1", "msg_e2_1", "msg_e2_0")).read(EARLIER)
    assert request.messages[1:] == (Message("assistant", "It rains.", reasoning="Hm."),)


@pytest.mark.parametrize("name", ["rs_gone_0", "rs_0a1b2c", "rs_"])
def test_thoughts_that_are_not_known_are_passed_over(name):
    found = DOOR.decode_request(json.dumps({"model": "auto", "input": [USER, *named(name)]}).encode(), "r1")
    request = found.read({}) if isinstance(found, Referring) else found
    assert request.messages == (Message("user", "Weather?"),)


UNKNOWN = ("msg_gone_0", "fc_gone_0", "fc_e1_2", "msg_0a1b2c", "ws_e1_0", "e1", "_", "msg_e1_" + "9" * 5000)


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_item_that_is_not_known_is_missed_in_openais_words(name):
    found = DOOR.decode_request(json.dumps({"model": "auto", "input": [USER, *named(name)]}).encode(), "r1")
    fault = found.read(EARLIER) if isinstance(found, Referring) else found
    assert (fault.status, fault.param, fault.kind) == (404, "input", "invalid_request_error")
    assert fault.message == f"Item with id '{name[:100]}' not found."
    assert "send the items themselves" in fault.hint


def test_a_prompt_with_references_is_counted_too():
    request = referring(USER, *named("msg_e1_0"), door=InputTokens()).read(EARLIER)
    assert [message.text for message in request.messages] == ["Weather?", "I look."]


def test_counting_asks_for_no_model():
    body = json.dumps({"input": "How are you?", "instructions": "Be brief."}).encode()
    request = InputTokens().decode_request(body, "r1")
    assert (request.asked, len(request.messages)) == ("auto", 2)
    assert json.loads(InputTokens().encode_count(12)) == {
        "object": "response.input_tokens",
        "input_tokens": 12,
    }


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

USAGE = Usage(input=10, cache_read=4, cache_write_5m=2, output=7, reasoning=3)
LOGPROBS = Raw(b'[{"token":"Hi","logprob":-0.1,"bytes":[72,105],"top_logprobs":[]}]')
REPLIES = {
    "text": Reply(text="Hello, you.", usage=USAGE),
    "nothing": Reply(text="", usage=USAGE),
    "cut": Reply(text="Hello, y", finish="length", usage=USAGE),
    "filtered": Reply(text="He", finish="content_filter", usage=USAGE),
    "thought": Reply(text="Hello.", reasoning="A greeting.", usage=USAGE),
    "calls": Reply(
        text="",
        tool_calls=(ToolCall("c1", "weather", '{"at": "Ulm"}'), ToolCall("c2", "news", "{}")),
        finish="tool_calls",
        usage=USAGE,
    ),
    "all of it": Reply(
        text="Let me see.",
        reasoning="Look it up.",
        tool_calls=(ToolCall("c1", "weather", "{}"),),
        finish="tool_calls",
        usage=USAGE,
    ),
    "logprobs": Reply(text="Hi", logprobs=LOGPROBS, usage=USAGE),
}


def about(**more) -> About:
    return About(understood(**more), "llama3.1:8b", 1700000000.25)


def pieces(reply: Reply) -> list[Delta]:
    """The reply as an engine streams it: in small pieces, arguments after the name."""
    cut: list[Delta] = []
    for delta in deltas_of(reply):
        if delta.tool_index is not None:
            cut.append(Delta(tool_index=delta.tool_index, tool_id=delta.tool_id, tool_name=delta.tool_name))
            cut += [
                Delta(tool_index=delta.tool_index, tool_arguments=letter) for letter in delta.tool_arguments
            ]
        elif delta.logprobs is not None:
            cut.append(delta)
        else:
            cut += [Delta(text=letter) for letter in delta.text]
            cut += [Delta(reasoning=letter) for letter in delta.reasoning]
    return cut


def stream_of(reply: Reply, about: About) -> bytes:
    encoder = DOOR.stream_encoder(about)
    return b"".join([encoder.delta(piece) for piece in pieces(reply)]) + encoder.end(reply)


def events_in(data: bytes, size: int = 1 << 20) -> list:
    """What the official client's own decoder reads, strictly checked against its types."""
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    found = []
    for sse in SSEDecoder().iter_bytes(iter(chunks)):
        event = EVENTS.validate_json(sse.data, strict=False)
        assert event.type == sse.event
        found.append(event)
    return found


@pytest.mark.parametrize("case", REPLIES)
def test_a_whole_reply_is_a_response_to_the_official_client(case):
    reply = REPLIES[case]
    response = Response.model_validate_json(
        DOOR.encode_reply(reply, about(tools=[TOOL], instructions="Be brief."))
    )
    assert (response.id, response.object, response.created_at) == ("resp_r1", "response", 1700000000)
    assert response.model == "llama3.1:8b"
    assert response.output_text == reply.text
    assert response.instructions == "Be brief."
    assert response.tools[0].name == "weather"
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [
        (call.id, call.name, call.arguments) for call in reply.tool_calls
    ]
    thoughts = [item.summary[0].text for item in response.output if item.type == "reasoning"]
    assert thoughts == ([reply.reasoning] if reply.reasoning else [])
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finish)
    assert response.status == ("incomplete" if reason else "completed")
    assert (response.incomplete_details and response.incomplete_details.reason) == reason
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (16, 7, 23)
    assert (usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens) == (4, 2)
    assert usage.output_tokens_details.reasoning_tokens == 3


@pytest.mark.parametrize("case", REPLIES)
def test_the_items_of_an_answer_can_be_named_and_are_that_answer(case):
    reply = REPLIES[case]
    output = json.loads(DOOR.encode_reply(reply, about()))["output"]
    answer = Message("assistant", reply.text, reply.tool_calls, reasoning=reply.reasoning)
    request = referring(USER, *named(*[item["id"] for item in output])).read({"r1": answer})
    assert request.messages == (Message("user", "Weather?"), answer)


@pytest.mark.parametrize("case", REPLIES)
def test_a_stream_ends_in_the_same_response_as_a_whole_reply(case):
    reply, of = REPLIES[case], about(tools=[TOOL], tool_choice="auto")
    events = events_in(stream_of(reply, of))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[0].response.status == "in_progress"
    assert events[-1].type == (
        "response.incomplete" if reply.finish in ("length", "content_filter") else "response.completed"
    )
    whole = Response.model_validate_json(DOOR.encode_reply(reply, of))
    assert events[-1].response == whole
    state = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        state.handle_event(event)
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == whole.output
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == reply.text
    begun = [event.output_index for event in events if event.type == "response.output_item.added"]
    assert begun == list(range(len(whole.output)))


def test_a_stream_is_read_the_same_wherever_the_network_cuts_it():
    data = stream_of(Reply(text="é!", tool_calls=(ToolCall("c1", "f", "{}"),), usage=USAGE), about())
    whole = events_in(data)
    assert events_in(data, 1) == whole
    told = [(event.type, event.sequence_number) for event in whole]
    for cut in range(len(data)):
        parts = [json.loads(sse.data) for sse in SSEDecoder().iter_bytes(iter([data[:cut], data[cut:]]))]
        assert [(part["type"], part["sequence_number"]) for part in parts] == told


def test_thoughts_after_words_are_an_item_of_their_own():
    encoder = DOOR.stream_encoder(about())
    deltas = (Delta(reasoning="a"), Delta(text="b"), Delta(reasoning="c"), Delta(text="d"))
    data = b"".join([encoder.delta(delta) for delta in deltas])
    events = events_in(data + encoder.end(Reply(text="bd", reasoning="ac", usage=USAGE)))
    output = events[-1].response.output
    assert [item.type for item in output] == ["reasoning", "message", "reasoning", "message"]
    assert [item.id for item in output] == ["rs_r1_0", "msg_r1_0", "rs_r1_1", "msg_r1_1"]
    assert events[-1].response.output_text == "bd"


def test_calls_that_are_written_at_the_same_time_are_kept_apart():
    encoder = DOOR.stream_encoder(about())
    deltas = (
        Delta(tool_index=0, tool_id="c1", tool_name="f"),
        Delta(tool_index=1, tool_id="c2", tool_name="g"),
        Delta(tool_index=0, tool_arguments='{"a":'),
        Delta(tool_index=1, tool_arguments="{}"),
        Delta(tool_index=0, tool_arguments="1}"),
    )
    data = b"".join([encoder.delta(delta) for delta in deltas])
    events = events_in(data + encoder.end(Reply(text="", finish="tool_calls", usage=USAGE)))
    calls = events[-1].response.output
    assert [(call.call_id, call.arguments) for call in calls] == [("c1", '{"a":1}'), ("c2", "{}")]


def test_line_breaks_of_the_caller_do_not_cut_an_event():
    body = b'{"model": "auto", "input": "Hi", "metadata": {\n\r "a":\n "b\\n c"}}'
    request = DOOR.decode_request(body, "r1")
    events = events_in(stream_of(REPLIES["text"], About(request, "m", 1.0)))
    assert events[-1].response.metadata == {"a": "b\n c"}


def test_a_failure_never_looks_finished_and_makes_the_official_client_raise():
    encoder = DOOR.stream_encoder(about())
    fault = Fault(
        status=502,
        message="the answer broke off",
        code="broken_stream",
        hint="send it again",
        kind="api_error",
    )
    data = encoder.delta(Delta(text="Hel")) + encoder.fail(fault)
    events = [json.loads(sse.data) for sse in SSEDecoder().iter_bytes(iter([data]))]
    assert [event["type"] for event in events[-2:]] == ["response.failed", "error"]
    assert events[-2]["response"]["status"] == "failed"
    told = json.loads(faults.encode(fault))["error"]
    assert events[-2]["response"]["error"] == {"code": "server_error", "message": told["message"]}
    assert (events[-1]["message"], events[-1]["code"]) == (told["message"], "broken_stream")
    assert events[-1]["error"] == told
    assert events[-1]["error"]["hint"] == "send it again"
    assert not any(event["type"] in ("response.completed", "response.incomplete") for event in events)


def test_a_failure_before_the_first_word_opens_the_stream_first():
    data = DOOR.stream_encoder(about()).fail(Fault(status=503, message="nobody"))
    events = [json.loads(sse.data) for sse in SSEDecoder().iter_bytes(iter([data]))]
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.failed",
        "error",
    ]


def test_a_sign_of_life_is_no_event():
    assert list(SSEDecoder().iter_bytes(iter([DOOR.keep_alive(about())]))) == []
