"""The providers' own Python clients, talking to the doubles. Skipped where a client is not installed."""

import pytest

from headgate.testing import (
    Answer,
    AnthropicDouble,
    Fault,
    LMStudioDouble,
    OllamaDouble,
    OpenAIDouble,
    ToolCall,
)

HELLO = [{"role": "user", "content": "Hello."}]
LOOKUP = Answer(tool_calls=(ToolCall("lookup", {"id": 7}),))
FUNCTION = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}


# ollama


async def test_ollamas_client_chats_streams_embeds_and_lists():
    library = pytest.importorskip("ollama")
    async with OllamaDouble(answer=Answer("one two", reasoning=None)) as double:
        client = library.AsyncClient(host=double.url)
        whole = await client.chat("llama3.1:8b", HELLO)
        parts = [part async for part in await client.chat("llama3.1:8b", HELLO, stream=True)]
        made = await client.generate("llama3.1:8b", "Hello.")
        vectors = await client.embed("nomic-embed-text", ["a", "b"])
        names = [model.model for model in (await client.list()).models]
        running = [model.model for model in (await client.ps()).models]
        shown = await client.show("llama3.1:8b")
    assert (whole.message.content, whole.done_reason, made.response) == ("one two", "stop", "one two")
    assert [part.message.content for part in parts] == ["one", " two", ""]
    assert parts[-1].done
    assert parts[-1].eval_count == whole.eval_count
    assert len(vectors.embeddings) == 2
    assert names == ["llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text:latest"]
    assert running == ["nomic-embed-text:latest", "llama3.1:8b"]  # what stays longest comes first
    assert shown.modelinfo["llama.context_length"] == 131_072


async def test_ollamas_client_reads_tool_calls_and_errors():
    library = pytest.importorskip("ollama")
    async with OllamaDouble(answer=LOOKUP) as double:
        client = library.AsyncClient(host=double.url)
        called = await client.chat("llama3.1:8b", HELLO, tools=[FUNCTION])
        with pytest.raises(library.ResponseError, match="not found") as missing:
            await client.chat("nope", HELLO)
        double.inject(Fault.error_event_mid_stream())
        with pytest.raises(library.ResponseError, match="unexpected EOF"):
            _ = [part async for part in await client.chat("llama3.1:8b", HELLO, stream=True)]
    assert called.message.tool_calls[0].function.arguments == {"id": 7}
    assert missing.value.status_code == 404


# openai, against all three that speak like it


@pytest.mark.parametrize(
    ("kind", "model"),
    [(OpenAIDouble, "gpt-4o"), (OllamaDouble, "llama3.1:8b"), (LMStudioDouble, "phi-3-mini-128k-instruct")],
)
async def test_openais_client_chats_and_streams_with_usage(kind, model):
    library = pytest.importorskip("openai")
    async with (
        kind(answer="one two") as double,
        library.AsyncOpenAI(api_key="sk-key", base_url=f"{double.url}/v1", max_retries=0) as client,
    ):
        whole = await client.chat.completions.create(model=model, messages=HELLO)
        options = {"include_usage": True}
        stream = await client.chat.completions.create(
            model=model, messages=HELLO, stream=True, stream_options=options
        )
        chunks = [chunk async for chunk in stream]
        listed = [entry.id async for entry in client.models.list()]
    assert whole.choices[0].message.content == "one two"
    assert whole.choices[0].finish_reason == "stop"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two"
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert model in listed


@pytest.mark.parametrize(("kind", "model"), [(OpenAIDouble, "gpt-4o"), (OllamaDouble, "llama3.1:8b")])
async def test_openais_stream_helper_puts_tool_calls_together(kind, model):
    library = pytest.importorskip("openai")
    async with (
        kind(answer=LOOKUP) as double,
        library.AsyncOpenAI(api_key="sk-key", base_url=f"{double.url}/v1", max_retries=0) as client,
        client.chat.completions.stream(model=model, messages=HELLO, tools=[FUNCTION]) as stream,
    ):
        final = await stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("lookup", '{"id": 7}')
    assert final.choices[0].finish_reason == "tool_calls"


async def test_openais_client_raises_what_it_raises_for_the_real_service():
    library = pytest.importorskip("openai")
    async with (
        OpenAIDouble(answer="one two") as double,
        library.AsyncOpenAI(api_key="sk-key", base_url=f"{double.url}/v1", max_retries=0) as client,
    ):

        async def chat(**more):
            return await client.chat.completions.create(model="gpt-4o", messages=HELLO, **more)

        for fault, error in (
            (Fault.rate_limited(), library.RateLimitError),
            (Fault.auth_failed(), library.AuthenticationError),
            (Fault.context_overflow(), library.BadRequestError),
            (Fault.overloaded(), library.InternalServerError),
            (Fault.cut_before_headers(), library.APIConnectionError),
            (Fault.refuse(), library.APIConnectionError),
        ):
            double.inject(fault)
            with pytest.raises(error):
                await chat()
            double.clear()
        double.inject(Fault.error_event_mid_stream())
        with pytest.raises(library.APIError, match="error while processing"):
            _ = [chunk async for chunk in await chat(stream=True)]


async def test_openais_client_unpacks_base64_vectors():
    library = pytest.importorskip("openai")
    async with (
        OpenAIDouble() as double,
        library.AsyncOpenAI(api_key="sk-key", base_url=f"{double.url}/v1") as client,
    ):
        got = await client.embeddings.create(model="text-embedding-3-small", input="refund")
    assert double.calls[-1].json["encoding_format"] == "base64"
    assert len(got.data[0].embedding) == 1536


# anthropic


async def test_anthropics_client_chats_streams_counts_and_lists():
    library = pytest.importorskip("anthropic")
    answer = Answer("one two", (ToolCall("lookup", {"id": 7}),), reasoning="Hm.")
    async with (
        AnthropicDouble(answer=answer) as double,
        library.AsyncAnthropic(api_key="key", base_url=double.url, max_retries=0) as client,
    ):
        asked = {"model": "claude-sonnet-5-5", "messages": HELLO}
        whole = await client.messages.create(max_tokens=100, **asked)
        async with client.messages.stream(max_tokens=100, **asked) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        counted = await client.messages.count_tokens(**asked)
        listed = [model.id async for model in client.models.list()]
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use"]
    assert (text, final.stop_reason) == ("one two", "tool_use")
    assert final.content[2].input == {"id": 7}
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert counted.input_tokens == whole.usage.input_tokens
    assert listed[0] == "claude-sonnet-5-5"


async def test_anthropics_client_raises_what_it_raises_for_the_real_service():
    library = pytest.importorskip("anthropic")
    async with (
        AnthropicDouble(answer="one two") as double,
        library.AsyncAnthropic(api_key="key", base_url=double.url, max_retries=0) as client,
    ):

        async def chat(**more):
            return await client.messages.create(
                model="claude-sonnet-5-5", max_tokens=50, messages=HELLO, **more
            )

        for fault, status in (
            (Fault.rate_limited(), 429),
            (Fault.overloaded(), 529),
            (Fault.auth_failed(), 401),
        ):
            double.inject(fault)
            with pytest.raises(library.APIStatusError) as raised:
                await chat()
            assert raised.value.status_code == status
        double.inject(Fault.cut_before_headers())
        with pytest.raises(library.APIConnectionError):
            await chat()
        double.inject(Fault.error_event_mid_stream())
        with pytest.raises(library.APIStatusError, match="Overloaded"):
            _ = [event async for event in await chat(stream=True)]
