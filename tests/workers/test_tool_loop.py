"""Subagents with tools: the loop, its bounds, and what a caller is given. The models are doubles: the shipped ones call no tools."""

import asyncio
import json
import re
import time

import pytest
from worker_gate import CLOCKS, call, calls, script, worker_gate

from headgate.testing import Answer, AnthropicDouble, Fault

ORDERS = '''
"""Orders of a shop."""
import asyncio
import time

CALLED = []


def find_order(number: str, verbose: bool = False) -> dict:
    """Find an order.

    Args:
        number: the order's number, like AB-1.
    """
    CALLED.append(number)
    if number == "broken":
        raise ValueError("no such order")
    return {"number": number, "state": "shipped", "verbose": verbose}


async def refund(number: str, amount: float) -> str:
    """Pay an order back."""
    await asyncio.sleep(0)
    return f"{amount} for {number}"


def hang() -> str:
    time.sleep(30)


def much() -> str:
    return "x" * 1_000_000


def leave() -> str:
    raise SystemExit(3)


def slow() -> str:
    time.sleep(0.5)
    return "slept."


def interrupted() -> str:
    raise KeyboardInterrupt


async def interrupts() -> str:
    raise KeyboardInterrupt


def cancelled() -> str:
    raise asyncio.CancelledError


async def cancels() -> str:
    raise asyncio.CancelledError


def half() -> str:
    return "caf\\udce9"


def fails_by_half() -> str:
    raise OSError("caf\\udce9")
'''

TOOLS = """
[agents.desk]
system = "Answer questions about orders."
tools = ["./orders.py:find_order", "./orders.py:refund", "./orders.py:much", "./orders.py:leave"]
{more}
"""


def gate(folder, *, more="", agents="", **options):
    return worker_gate(folder, TOOLS.format(more=more) + agents, files={"orders.py": ORDERS}, **options)


# ── The loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_subagent_looks_an_order_up_and_answers(tmp_path):
    home = script(call("find_order", number="AB-1"), "It was shipped.")
    async with gate(tmp_path, home=home) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["output"], run["reason"]) == ("ok", "It was shipped.", "")
        assert [(step["kind"], step["what"]) for step in run["steps"]] == [
            ("model", "asked llama"),
            ("tool", 'find_order(number="AB-1")'),
            ("model", "asked llama"),
        ]
        assert json.loads(run["steps"][1]["result"]) == {
            "number": "AB-1",
            "state": "shipped",
            "verbose": False,
        }
        rows = await bench.written(2)
        assert [row.id for row in rows] == run["requests"], "each step is a request with its own row"
        assert run["requests"] == [step["request"] for step in run["steps"] if step["kind"] == "model"]
        offered = {tool["name"]: tool["schema"] for tool in bench.asked[0].tools}
        assert list(offered) == ["find_order", "refund", "much", "leave"]
        number = offered["find_order"]["properties"]["number"]
        assert number == {"type": "string", "description": "the order's number, like AB-1."}
        assert offered["find_order"]["required"] == ["number"]
        assert bench.paid == []


STRANGE = """
[agents.desk]
system = "Answer questions about orders."
tools = ["./orders.py:{name}"]
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("interrupted", "error: KeyboardInterrupt"),
        ("interrupts", "error: KeyboardInterrupt"),
        ("cancelled", "error: CancelledError"),
        ("cancels", "error: CancelledError"),
        ("half", "caf?"),
        ("fails_by_half", "error: OSError: caf?"),
    ],
)
async def test_no_tool_can_end_the_gate_or_break_its_run(tmp_path, name, told):
    agents = STRANGE.format(name=name)
    async with worker_gate(
        tmp_path, agents, files={"orders.py": ORDERS}, home=script(call(name), "I see.")
    ) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["output"]) == ("ok", "I see.")
        assert bench.told(1) == [told]


async def test_many_runs_may_call_a_slow_function_at_the_same_time(tmp_path):
    def home(received):
        told = [message for message in received.messages if message.get("role") == "tool"]
        return f"It {told[-1]['content']}" if told else call("slow")

    agents = STRANGE.format(name="slow")
    async with worker_gate(tmp_path, agents, files={"orders.py": ORDERS}, home=home, parallel=8) as bench:
        runs = await asyncio.gather(*(bench.run("desk", f"Question {number}") for number in range(8)))
        assert [run["output"] for run in runs] == ["It slept."] * 8


async def test_several_calls_at_once_are_all_answered_in_order(tmp_path):
    wishes = calls(("find_order", {"number": "A"}), ("refund", {"number": "A", "amount": 2}))
    async with gate(tmp_path, home=script(wishes, "Done.")) as bench:
        run = await bench.run("desk")
        assert run["output"] == "Done."
        assert bench.told(1) == ['{"number":"A","state":"shipped","verbose":false}', "2.0 for A"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (call("find_order", number="broken"), "error: ValueError: no such order"),
        (call("find_order"), "error: the arguments do not fit: Object missing required field `number`"),
        (
            call("find_order", number=["A"]),
            "error: the arguments do not fit: Expected `str`, got `array` - at `$.number`",
        ),
        (
            call("find_order", number="A", colour="red"),
            "error: the arguments do not fit: Object contains unknown field `colour`",
        ),
        (call("nothing"), 'error: there is no tool "nothing"'),
        (call("leave"), "error: SystemExit: 3"),
    ],
)
async def test_what_goes_wrong_with_a_tool_is_told_to_the_model_and_breaks_nothing(tmp_path, wish, told):
    async with gate(tmp_path, home=script(wish, "I see.")) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["output"]) == ("ok", "I see.")
        assert bench.told(1) == [told]


async def test_a_large_result_is_cut_with_a_note(tmp_path):
    async with gate(tmp_path, home=script(call("much"), "Long.")) as bench:
        await bench.run("desk")
        (told,) = bench.told(1)
        assert told.endswith("\n[cut: these are the first 8,192 of 1,000,000 characters]")
        assert len(told) < 8_300, "a quarter of the model's window of 8,192 tokens"


async def test_a_tool_that_hangs_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("headgate.workers.loop.TOOL_WITHIN", 0.2)
    agents = '[agents.slow]\nsystem = "Wait."\ntools = ["./orders.py:hang"]'
    async with gate(tmp_path, agents=agents, home=script(call("hang"), "It hangs.")) as bench:
        begun = time.monotonic()
        run = await bench.run("slow")
        assert (run["status"], run["output"]) == ("ok", "It hangs.")
        assert bench.told(1) == ["error: it took longer than 0.2 s"]
        assert time.monotonic() - begun < 10


# ── Its bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────


def different_calls():
    number = iter(range(1000))
    return lambda received: (
        call("find_order", number=str(next(number))) if received.tools else "So far: nothing."
    )


async def test_at_its_steps_a_run_says_what_it_has_and_that_it_is_incomplete(tmp_path):
    async with gate(tmp_path, more="limits = { steps = 3 }", home=different_calls()) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["reason"]) == ("incomplete", "stopped: its 3 steps are used up")
        assert run["output"] == "So far: nothing."
        assert len(bench.asked) == 4, "three with tools, and one without them for the answer"
        assert bench.asked[3].tools == []
        assert bench.told(3)[-1] == "error: not done, because its 3 steps are used up"
        assert [step["result"] for step in run["steps"] if step["kind"] == "tool"][:2] != bench.told(3)[-1:]


async def test_at_its_time_a_run_stops(tmp_path):
    calls = different_calls()
    slow = lambda received: (  # noqa: E731
        Answer(tool_calls=calls(received).tool_calls, delay=0.6) if received.tools else "Late."
    )
    async with gate(tmp_path, more='limits = { within = "8s", steps = 50 }', home=slow) as bench:
        begun = time.monotonic()
        run = await bench.run("desk")
        assert run["status"] == "incomplete"
        assert run["reason"] == "stopped: its 8 s are used up"
        assert run["output"] == "Late."
        assert time.monotonic() - begun < 25, "fifty steps would take half a minute"


async def test_at_its_money_a_run_stops_and_asks_nobody_again(tmp_path):
    number = iter(range(1000))
    paid = lambda _: Answer(  # noqa: E731
        tool_calls=call("find_order", number=str(next(number))).tool_calls,
        input_tokens=1000,
        output_tokens=1000,
    )
    more = 'try = ["gpt"]\nlimits = { spend = 0.02, steps = 50 }'
    async with gate(tmp_path, more=more, paid=paid) as bench:
        run = await bench.run("desk")
        assert run["status"] == "failed"
        assert run["reason"] == "stopped: its $0.02 are used up"
        assert run["cost"] == pytest.approx(0.025), (
            "the second was begun with money left; the double says more than it may"
        )
        assert len(bench.paid) == 2
        assert bench.paid[1].fields["max_completion_tokens"] < 1000, (
            "it was given no more words than it had money for"
        )


async def test_a_cost_that_nobody_knows_counts_as_all_of_the_money(tmp_path):
    more = 'try = ["free"]\nlimits = { spend = 5.0 }'
    agents = '[models.free]\nengine = "openai"\nid = "unheard-of"\ncontext = 8192\n'
    async with gate(tmp_path, more=more, agents=agents, paid="Hello.") as bench:
        run = await bench.run("desk")
        assert run["status"] == "failed"
        assert "price is unknown" in run["reason"]
        assert bench.paid == [], "with a limit on money, a model of unknown price is not asked"


async def test_after_a_call_whose_cost_nobody_knows_nothing_is_left_to_spend(tmp_path):
    more = 'try = ["gpt", "llama"]\nlimits = { spend = 5.0, steps = 50 }'
    async with gate(tmp_path, more=more, home=different_calls(), paid="Hello.") as bench:
        bench.openai.inject(Fault.cut_mid_stream(), times=1)
        run = await bench.run("desk")
        assert run["status"] == "failed"
        assert run["reason"] == "stopped: it may spend $5, and what it spent is unknown"
        assert run["cost"] is None
        assert (len(bench.paid), len(bench.asked)) == (1, 1)


async def test_a_step_that_runs_into_the_time_leaves_some_for_an_answer(tmp_path):
    def home(received):
        if not received.tools:
            return "What I have."
        told = any(m.get("role") == "tool" for m in received.messages)
        return Answer("late", delay=30) if told else call("find_order", number="A")

    async with gate(tmp_path, more='limits = { within = "8s", steps = 50 }', home=home) as bench:
        run = await bench.run("desk")
        assert (run["status"], run["output"]) == ("incomplete", "What I have."), run["reason"]


async def test_the_same_call_three_times_in_a_row_is_stopped(tmp_path):
    home = lambda received: call("find_order", number="AB-1") if received.tools else "It is shipped."  # noqa: E731
    async with gate(tmp_path, more="limits = { steps = 50 }", home=home) as bench:
        run = await bench.run("desk")
        assert run["status"] == "incomplete"
        assert run["reason"] == 'stopped: find_order(number="AB-1") was called 3 times in a row'
        assert run["output"] == "It is shipped."
        done = [step["result"] for step in run["steps"] if step["kind"] == "tool"]
        assert [result.startswith("error") for result in done] == [False, False, True]


async def test_two_calls_in_turns_are_not_the_same_call(tmp_path):
    home = script(*[call("find_order", number=n) for n in "ABABAB"], "Done.")
    async with gate(tmp_path, more="limits = { steps = 50 }", home=home) as bench:
        assert (await bench.run("desk"))["status"] == "ok"


# ── The form of the answer ───────────────────────────────────────────────────────────────────────────────────────────

FORMED = """
[agents.state]
system = "Say the state of the order."
tools = ["./orders.py:find_order"]
[agents.state.schema]
type = "object"
required = ["state"]
additionalProperties = false
[agents.state.schema.properties.state]
enum = ["shipped", "open"]
"""


async def test_an_answer_that_fits_the_schema_is_not_asked_for_again(tmp_path):
    home = script(call("find_order", number="A"), '{"state": "shipped"}')
    async with gate(tmp_path, agents=FORMED, home=home) as bench:
        run = await bench.run("state")
        assert (run["status"], run["output"]) == ("ok", {"state": "shipped"})
        assert len(bench.asked) == 2
        assert bench.asked[0].schema is None, "a call of a tool has not the form of the answer"


async def test_an_answer_that_does_not_fit_is_asked_for_once_more_in_its_form(tmp_path):
    home = script(call("find_order", number="A"), "It was shipped yesterday.", '{"state": "shipped"}')
    async with gate(tmp_path, agents=FORMED, home=home) as bench:
        run = await bench.run("state")
        assert (run["status"], run["output"]) == ("ok", {"state": "shipped"})
        assert bench.asked[2].schema is not None
        assert bench.asked[2].tools == []
        assert "It was shipped yesterday." in [m.get("content") for m in bench.asked[2].messages]


async def test_what_never_fits_is_a_failure_and_not_something_in_between(tmp_path):
    home = script(call("find_order", number="A"), "Shipped.", "Still shipped.")
    async with gate(tmp_path, agents=FORMED, home=home) as bench:
        run = await bench.run("state")
        assert (run["status"], run["output"]) == ("failed", None)
        assert "not JSON" in run["reason"]


async def test_a_label_is_one_of_the_labels(tmp_path):
    agents = (
        '[agents.pick]\nsystem = "Choose."\nlabels = ["open", "shipped"]\ntools = ["./orders.py:find_order"]'
    )
    async with gate(tmp_path, agents=agents, home=script(call("find_order", number="A"), "shipped")) as bench:
        run = await bench.run("pick")
        assert (run["status"], run["output"], run["label"]) == ("ok", "shipped", "shipped")


# ── Chat clients ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_chat_client_gets_the_answer_and_never_sees_the_tools(tmp_path):
    home = script(call("find_order", number="AB-1"), "It was shipped.")
    async with gate(tmp_path, home=home) as bench:
        said = await bench.chat("desk")
        message = said.json["choices"][0]["message"]
        assert message["content"] == "It was shipped."
        assert not message.get("tool_calls")
        assert said.json["choices"][0]["finish_reason"] == "stop"
        rows = await bench.written(2)
        used = [row.usage.prompt + row.usage.output for row in rows]
        assert said.json["usage"]["total_tokens"] == sum(used), "of all requests together"


async def test_a_chat_client_is_told_that_an_answer_is_not_whole(tmp_path):
    async with gate(tmp_path, more="limits = { steps = 1 }", home=different_calls()) as bench:
        said = await bench.chat("desk")
        assert said.json["choices"][0]["finish_reason"] == "length"
        assert said.headers["x-headgate-status"] == "imperfect"


async def test_a_client_that_streams_gets_the_answer_as_a_stream(tmp_path):
    home = script(call("find_order", number="AB-1"), "It was shipped.")
    async with gate(tmp_path, home=home) as bench:
        body = {"model": "agent:desk", "messages": [{"role": "user", "content": "AB-1?"}], "stream": True}
        response = await bench.client.request(
            "POST",
            "/v1/chat/completions",
            headers=[],
            body=json.dumps(body).encode(),
            clocks=CLOCKS,
        )
        lines = [line[6:] for line in response.body.decode().split("\n") if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        pieces = [json.loads(line)["choices"] for line in lines[:-1]]
        assert "".join(p[0]["delta"].get("content") or "" for p in pieces if p) == "It was shipped."


CALLERS = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


async def test_the_callers_own_tools_are_handed_to_him(tmp_path):
    home = script(call("find_order", number="AB-1"), call("weather", city="Graz"))
    async with gate(tmp_path, home=home) as bench:
        said = await bench.chat("desk", tools=[CALLERS])
        choice = said.json["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert [c["function"]["name"] for c in choice["message"]["tool_calls"]] == ["weather"]
        assert bench.told(1) == ['{"number":"AB-1","state":"shipped","verbose":false}'], (
            "ours was done inside"
        )


async def test_what_the_caller_says_of_tools_is_for_the_first_step(tmp_path):
    paid = script(call("find_order", number="AB-1"), "It was shipped.")
    async with gate(tmp_path, more='try = ["gpt"]', paid=paid) as bench:
        said = await bench.chat("desk", tools=[CALLERS], tool_choice="required")
        assert said.json["choices"][0]["message"]["content"] == "It was shipped."
        assert [asked.fields.get("tool_choice") for asked in bench.paid] == ["required", None]


async def test_a_caller_at_anthropics_door_may_bring_tools_too(tmp_path):
    agents = '[engines.claude]\nkind = "anthropic"\nurl = "{url}"\nkey = "env:TEST_KEY"\n[models.claude]\nengine = "claude"\nid = "claude-sonnet-5-5"\n'
    paid = script(call("find_order", number="AB-1"), "It was shipped.")
    async with (
        AnthropicDouble(answer=paid) as claude,
        gate(tmp_path, more='try = ["claude"]', agents=agents.format(url=claude.url)) as bench,
    ):
        weather = {"name": "weather", "description": "Of a town", "input_schema": {"type": "object"}}
        messages = [{"role": "user", "content": "AB-1?"}]
        body = {"model": "agent:desk", "max_tokens": 100, "messages": messages, "tools": [weather]}
        said = await bench.post("/v1/messages", body)
        assert [part.get("text") for part in said.json["content"]] == ["It was shipped."]
        asked = [call for call in claude.calls if call.path == "/v1/messages"]
        assert [tool["name"] for tool in asked[0].tools][:2] == ["weather", "find_order"]


async def test_of_two_tools_of_one_name_the_callers_is_offered(tmp_path):
    own = {
        "type": "function",
        "function": {"name": "refund", "parameters": {"type": "object", "properties": {}}},
    }
    async with gate(tmp_path, home=call("refund")) as bench:
        said = await bench.chat("desk", tools=[own])
        assert [t["name"] for t in bench.asked[0].tools].count("refund") == 1
        assert said.json["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "refund"


# ── Who may be asked ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_subagent_that_stays_at_home_tells_no_paid_model_what_its_tools_say(tmp_path):
    def home(received):
        if any(m.get("role") == "tool" for m in received.messages):
            return ""
        return call("find_order", number="AB-1")

    async with gate(tmp_path, more="local_only = true", home=home, chain='["llama", "gpt"]') as bench:
        run = await bench.run("desk")
        assert run["status"] in ("failed", "incomplete")
        assert bench.paid == []


async def test_a_run_that_outgrows_the_window_fails_with_the_figures_and_keeps_its_steps(tmp_path):
    wishes = [wish for n in range(9) for wish in (call("much"), call("find_order", number=str(n)))]
    async with gate(tmp_path, context=1024, more="limits = { steps = 50 }", home=script(*wishes)) as bench:
        run = await bench.run("desk")
        assert run["status"] == "failed"
        assert re.search(
            "do not fit its window of 1,024|exceeds the available context size .1024", run["reason"]
        )
        assert [step["kind"] for step in run["steps"]][-2:] == ["tool", "model"]
        assert len([step for step in run["steps"] if step["kind"] == "tool"]) >= 3


async def test_a_caller_who_hangs_up_ends_the_run(tmp_path):
    calls = different_calls()
    home = lambda received: Answer(tool_calls=calls(received).tool_calls, delay=0.3)  # noqa: E731
    async with gate(tmp_path, more="limits = { steps = 50 }", home=home) as bench:
        asking = asyncio.create_task(bench.chat("desk"))
        async with asyncio.timeout(60):
            while not bench.asked:
                await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (row,) = (await bench.written(1))[-1:]
        assert row.status == "cancelled"
        asked = len(bench.asked)
        await asyncio.sleep(0.7)
        assert len(bench.asked) == asked
