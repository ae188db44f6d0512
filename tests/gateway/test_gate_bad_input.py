"""Bad input gets a clear error, and breaks nothing: the next request is answered."""

import json

import pytest

HELLO = [{"role": "user", "content": "How are you?"}]
BAD = {
    "nothing": (b"", "JSON"),
    "half of it": (b'{"model": "auto", "messages": [', "JSON"),
    "a list": (b"[]", "not a JSON object"),
    "a text": (b'"hello"', "not a JSON object"),
    "bad utf-8": (b'{"model": "auto", "messages": [{"role": "user", "content": "\xff\xfe"}]}', "JSON"),
    "a raw NUL": (b'{"model": "auto",\x00 "messages": []}', "JSON"),
    "deep nesting": (b'{"model": "auto", "messages": [{"role": "user"}], "x": ' + b"[" * 100_000, "JSON"),
    "no messages": (json.dumps({"model": "auto"}).encode(), "messages is missing"),
    "empty messages": (json.dumps({"model": "auto", "messages": []}).encode(), "messages is empty"),
    "no model": (json.dumps({"messages": HELLO}).encode(), "model is missing"),
    "a number as model": (json.dumps({"model": 7, "messages": HELLO}).encode(), "expected `str`, got `int`"),
    "a strange role": (
        json.dumps({"model": "auto", "messages": [{"role": "robot", "content": "x"}]}).encode(),
        "robot",
    ),
    "a strange part": (
        json.dumps(
            {"model": "auto", "messages": [{"role": "user", "content": [{"type": "smell"}]}]}
        ).encode(),
        "smell",
    ),
    "negative tokens": (
        json.dumps({"model": "auto", "messages": HELLO, "max_tokens": -5}).encode(),
        "at least 1",
    ),
    "a hot temperature": (
        json.dumps({"model": "auto", "messages": HELLO, "temperature": 9}).encode(),
        "between 0 and 2",
    ),
    "three answers": (json.dumps({"model": "auto", "messages": HELLO, "n": 3}).encode(), "one answer"),
    "no schema": (
        json.dumps({"model": "auto", "messages": HELLO, "response_format": {"type": "json_schema"}}).encode(),
        "json_schema",
    ),
}


CHOICES = {
    "a number": (5, "got `int`"),
    "a list": (["look_up"], "got `array`"),
    "a word of another service": ("any", "any"),
    "a name in the wrong place": ({"type": "function", "function": "look_up"}, "function"),
    "no name": ({"type": "function"}, "function"),
    "a tool that is not offered": ({"type": "function", "function": {"name": "fly"}}, "none of tools"),
}
"""Ways to choose a tool that say nothing."""


@pytest.mark.parametrize("model", ["llama", "claude"])
@pytest.mark.parametrize("case", CHOICES)
async def test_a_choice_of_tools_that_says_nothing_is_refused_and_not_ignored(open_bench, case, model):
    choice, words = CHOICES[case]
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    async with open_bench() as bench:
        said = await bench.ask(model=model, tools=tools, tool_choice=choice)
        assert said.status == 400
        error = said.json["error"]
        assert error["param"].startswith("tool_choice")
        assert words in error["message"]


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_body_gets_a_clear_error_and_breaks_nothing(open_bench, case):
    body, words = BAD[case]
    async with open_bench() as bench:
        said = await bench.send("POST", "/v1/chat/completions", body)
        assert said.status == 400
        error = said.json["error"]
        assert words in error["message"]
        assert error["hint"]
        assert said.headers["x-should-retry"] == "false"
        assert (await bench.ask()).status == 200
        assert not any(call.path == "/api/chat" for call in list(bench.ollama.calls)[:-1])


async def test_a_body_that_is_too_large_is_refused_and_the_next_one_is_not(open_bench):
    async with open_bench() as bench:
        said = await bench.ask("x" * 50_000_000)
        assert said.status == 413
        assert "larger than 1 MB" in said.json["error"]["message"]
        assert (await bench.ask()).status == 200


async def test_a_nul_byte_inside_a_text_is_an_ordinary_character(open_bench):
    async with open_bench() as bench:
        assert (await bench.ask("a\x00b")).status == 200


async def test_unknown_words_come_with_the_word_that_was_meant(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(model="lama")
        assert (said.status, said.json["error"]["code"]) == (404, "model_not_found")
        assert said.json["error"]["hint"] == 'did you mean "llama"?'
        said = await bench.ask(model="auto:clasification")
        assert said.json["error"]["hint"] == 'did you mean "classification"?'
        said = await bench.ask(headers={"x-headgate-task": "coding"})
        assert (said.status, said.json["error"]["param"]) == (400, "x-headgate-task")
        said = await bench.ask(headers={"x-headgate-within": "soon"})
        assert "not a number of seconds" in said.json["error"]["message"]
        said = await bench.ask(headers={"x-headgate-privacy": "secret"})
        assert said.status == 400


async def test_unknown_paths_and_methods_say_what_there_is(open_bench):
    async with open_bench() as bench:
        said = await bench.send("GET", "/v1/chat")
        assert said.status == 404
        assert "/v1/chat/completions" in said.json["error"]["hint"]
        said = await bench.send("GET", "/v1/chat/completions")
        assert (said.status, said.headers["allow"]) == (405, "POST")


async def test_a_web_page_of_another_site_cannot_spend_the_users_money(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(headers={"origin": "https://evil.example"})
        assert said.status == 403
        assert (await bench.ask(headers={"origin": "http://localhost.evil.example:80"})).status == 403
        assert (await bench.ask(headers={"origin": "http://["})).status == 403
        assert (await bench.ask(headers={"origin": "http://localhost:3000"})).status == 200
        assert len([call for call in bench.ollama.calls if call.path == "/api/chat"]) == 1
