"""Tool calls through the gate: recovered where they came as text, replaced where they do not fit, matched on any engine."""

import json

import pytest

from headgate.testing import Answer, Fault, ToolCall

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
ASK = "What is the weather in Ghent?"
BARE = '{"name": "get_weather", "parameters": {"city": "Ghent"}}'
LONG_CITY = "Ghent " + "and all the villages around it " * 12
FITS = Answer(tool_calls=(ToolCall("get_weather", {"city": "Ghent"}),), finish="tool_calls")
MISFIT = Answer(tool_calls=(ToolCall("get_weather", {"town": LONG_CITY}),), finish="tool_calls")
UNKNOWN = Answer(tool_calls=(ToolCall("search_web", {"q": "Ghent"}),), finish="tool_calls")
WORDS = "Ghent is the capital of the province of East Flanders. It lies where two rivers meet, the Scheldt and the Leie."


def calls_of(said):
    """Name, arguments and finish of the calls in an answer, streamed or whole."""
    if said.headers["content-type"].startswith("application/json"):
        choice = said.json["choices"][0]
        calls = [call["function"] for call in choice["message"].get("tool_calls") or ()]
        assert all(call["id"] for call in choice["message"].get("tool_calls") or ())
        return [(call["name"], json.loads(call["arguments"])) for call in calls], choice["finish_reason"]
    assert said.events[-1] == "[DONE]"
    choices = [event["choices"][0] for event in said.events[:-1]]
    calls = {}
    for piece in (piece for choice in choices for piece in choice["delta"].get("tool_calls") or ()):
        name, arguments = calls.get(piece["index"], ("", ""))
        assert name or piece["id"]
        function = piece["function"]
        calls[piece["index"]] = (name + function.get("name", ""), arguments + function["arguments"])
    return [(name, json.loads(text)) for name, text in calls.values()], choices[-1]["finish_reason"]


EVERY_WAY = pytest.mark.parametrize(
    ("mode", "stream"), [("peek", False), ("peek", True), ("hold", True)], ids=["whole", "peek", "hold"]
)


@EVERY_WAY
@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"<tool_call>\n{BARE}\n</tool_call>",
        f"Let me look.\n[TOOL_CALLS][{BARE}]",
        f"```json\n{BARE}\n```",
    ],
    ids=["bare", "tagged", "prose", "fenced"],
)
async def test_a_call_that_a_local_model_wrote_as_text_reaches_the_caller_as_a_call(
    open_bench, mode, stream, text
):
    async with open_bench(mode=mode, local=text) as bench:
        said = await bench.ask(ASK, tools=[WEATHER], stream=stream)
        assert calls_of(said) == ([("get_weather", {"city": "Ghent"})], "tool_calls")
        assert (said.headers["x-headgate-model"], said.headers["x-headgate-attempts"]) == ("llama", "1")
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.fallback) == ("ok", None)
        verdict = next(v for v in outcome.attempts[0].verdicts if v.check == "valid-tool-calls")
        assert verdict.score == 1


@EVERY_WAY
@pytest.mark.parametrize("local", [MISFIT, UNKNOWN, "<tool_call>get_weather(Ghent)</tool_call>" * 10])
async def test_a_call_that_does_not_fit_goes_to_the_next_model(open_bench, mode, stream, local):
    async with open_bench(mode=mode, local=local, paid=FITS) as bench:
        said = await bench.ask(ASK, tools=[WEATHER], stream=stream)
        assert calls_of(said) == ([("get_weather", {"city": "Ghent"})], "tool_calls")
        assert said.headers["x-headgate-model"] == "claude"
        assert said.headers["x-headgate-reason"] == "quality check failed"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.fallback) == ("ok", "quality check failed")
        assert outcome.attempts[0].score < 0.6


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_when_no_call_fits_the_best_of_them_is_delivered_and_marked(open_bench, stream):
    async with open_bench(local=MISFIT, paid=UNKNOWN) as bench:
        said = await bench.ask(ASK, tools=[WEATHER], stream=stream)
        assert calls_of(said) == ([("get_weather", {"town": LONG_CITY})], "tool_calls")
        assert said.headers["x-headgate-status"] == "imperfect"
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model) == ("imperfect", "llama")
        assert [attempt.score for attempt in outcome.attempts] == [0.3, 0.0]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_call_that_was_demanded_and_did_not_come_goes_to_the_next_model(open_bench, stream):
    async with open_bench(mode="hold", local=WORDS, paid=FITS) as bench:
        said = await bench.ask(ASK, tools=[WEATHER], tool_choice="required", stream=stream)
        assert calls_of(said)[0] == [("get_weather", {"city": "Ghent"})]
        assert said.headers["x-headgate-reason"] == "quality check failed"


async def test_words_still_flow_in_a_request_with_tools(open_bench):
    async with open_bench(local=WORDS) as bench:
        bench.ollama.inject(Fault.cut_mid_stream(15))
        said = await bench.ask(ASK, tools=[WEATHER], stream=True)
        assert WORDS.startswith(said.streamed)
        assert said.streamed
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.model) == ("broken", "llama")


@pytest.mark.parametrize("tools", [[], [WEATHER]], ids=["without tools", "with tools"])
async def test_thoughts_flow_unless_a_call_may_follow_them(open_bench, tools):
    thinking = Answer(
        tool_calls=MISFIT.tool_calls, reasoning="The weather is wanted. " * 8, finish="tool_calls"
    )
    async with open_bench(
        local=thinking if tools else Answer(WORDS, reasoning=thinking.reasoning), paid=FITS
    ) as bench:
        said = await bench.ask(ASK, stream=True, **({"tools": tools} if tools else {}))
        assert said.headers["x-headgate-model"] == ("claude" if tools else "llama")
        thought = [e for e in said.events[:-1] if e["choices"][0]["delta"].get("reasoning_content")]
        assert bool(thought) is not bool(tools)


async def test_mode_pass_holds_no_call_and_marks_it_afterwards(open_bench):
    async with open_bench(mode="pass", local=BARE) as bench:
        said = await bench.ask(ASK, tools=[WEATHER], stream=True)
        assert said.streamed == BARE
        (outcome,) = await bench.written()
        assert (outcome.status, outcome.attempts[0].late) == ("imperfect", True)


async def test_json_that_looks_like_a_call_is_only_text_where_no_tools_are_offered(open_bench):
    async with open_bench(local=BARE) as bench:
        assert (await bench.ask(ASK)).text == BARE


@pytest.mark.parametrize("call_id", ["", "functions.get_weather:0", "call_0"])
async def test_a_conversation_with_another_engines_ids_goes_on_at_the_paid_model(open_bench, call_id):
    call = {
        "id": call_id,
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Ghent"}'},
    }
    turn = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "rain"},
    ]
    cut = {"role": "tool", "tool_call_id": "gone", "content": "sun"}
    async with open_bench(local="I'm sorry, but I can't help with that.") as bench:
        messages = [
            cut,
            {"role": "user", "content": ASK},
            *turn,
            *turn,
            {"role": "user", "content": "And now?"},
        ]
        said = await bench.ask(messages, tools=[WEATHER])
        assert (said.status, said.headers["x-headgate-model"]) == (200, "claude")
        (sent,) = [one for one in bench.claude.calls if one.path == "/v1/messages"]
        blocks = [b for m in sent.messages for b in m["content"] if isinstance(m["content"], list)]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert len(set(calls)) == 2
        assert calls == [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert "sun" in json.dumps(sent.messages[0])


async def test_only_the_allowed_of_the_offered_tools_may_be_called(open_bench):
    def named(name):
        return {"type": "function", "function": {"name": name}}

    other = named("search_web") | {"function": {"name": "search_web", "parameters": {"type": "object"}}}
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("get_weather")]}}
    async with open_bench(local=UNKNOWN, paid=FITS) as bench:
        said = await bench.ask(ASK, tools=[WEATHER, other], tool_choice=choice)
        assert said.headers["x-headgate-model"] == "claude"
        assert calls_of(said) == ([("get_weather", {"city": "Ghent"})], "tool_calls")
        for engine in (bench.ollama, bench.claude):
            assert [tool["name"] for tool in engine.calls[-1].tools] == ["get_weather"]


@pytest.mark.parametrize("model", ["llama", "claude"])
async def test_calls_of_functions_as_they_were_before_tools_are_told_to_any_engine(open_bench, model):
    asked = [
        {"role": "user", "content": ASK},
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "get_weather", "arguments": '{"city": "Ghent"}'},
        },
        {"role": "function", "name": "get_weather", "content": "Rain."},
    ]
    async with open_bench(local=WORDS, paid=WORDS) as bench:
        assert (await bench.ask(asked, model=model)).status == 200
        engine = bench.ollama if model == "llama" else bench.claude
        told = json.dumps(engine.calls[-1].messages)
        assert "Ghent" in told
        assert "Rain." in told
        assert "No result" not in told
