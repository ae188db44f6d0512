"""The doubles' batches, driven by the providers' own clients."""

import io
import json

import pytest

from headgate.testing import AnthropicDouble, Fault, OpenAIDouble

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")


def lines(*names, url="/v1/chat/completions"):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]}
    return [{"custom_id": name, "method": "POST", "url": url, "body": body} for name in names]


def form(values) -> io.BytesIO:
    file = io.BytesIO("".join(json.dumps(value) + "\n" for value in values).encode())
    file.name = "in.jsonl"
    return file


async def run_openai(client, values, looks=10):
    file = await client.files.create(file=form(values), purpose="batch")
    job = await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"whose": "mine"},
    )
    seen = [job.status]
    for _ in range(looks):
        job = await client.batches.retrieve(job.id)
        seen.append(job.status)
    return job, list(dict.fromkeys(seen))


async def test_openais_client_runs_a_batch_from_its_file_to_its_results():
    async with OpenAIDouble(answer="yes") as double:
        client = openai.AsyncOpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0)
        job, seen = await run_openai(client, lines("a", "b", "c"))
        assert seen == ["validating", "in_progress", "finalizing", "completed"]
        assert (job.request_counts.total, job.request_counts.completed, job.request_counts.failed) == (
            3,
            3,
            0,
        )
        assert job.usage.output_tokens > 0
        assert job.metadata == {"whose": "mine"}
        said = [
            json.loads(line) for line in (await client.files.content(job.output_file_id)).text.splitlines()
        ]
        assert [line["custom_id"] for line in said] == ["c", "b", "a"], "in another order, as in life"
        assert said[0]["response"]["body"]["choices"][0]["message"]["content"] == "yes"
        assert [one.id async for one in client.batches.list()] == [job.id]
        assert {one.purpose async for one in client.files.list()} == {"batch", "batch_output"}
        assert (await client.files.delete(job.output_file_id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.content(job.output_file_id)


async def test_items_fail_or_expire_and_have_their_lines_in_the_error_file():
    async with OpenAIDouble(answer="yes") as double:
        double.play.fate = lambda name: {"a": "errored", "b": "expired"}.get(name, "succeeded")
        client = openai.AsyncOpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0)
        job, _ = await run_openai(client, lines("a", "b", "c"))
        bad = [json.loads(line) for line in (await client.files.content(job.error_file_id)).text.splitlines()]
    assert (job.status, job.request_counts.completed, job.request_counts.failed) == ("expired", 1, 2)
    assert {line["custom_id"]: (line["response"] or {}).get("status_code") for line in bad} == {
        "a": 500,
        "b": None,
    }
    assert {line["custom_id"]: (line["error"] or {}).get("code") for line in bad} == {
        "a": None,
        "b": "batch_expired",
    }


async def test_a_batch_is_held_cancelled_refused_and_looked_at_in_vain():
    async with OpenAIDouble(answer="yes") as double:
        client = openai.AsyncOpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0)
        double.play.held, double.play.done_when_cancelled = True, 1
        job, seen = await run_openai(client, lines("a", "b"))
        assert seen == ["validating", "in_progress"]
        double.inject(Fault.server_error(), path=f"/v1/batches/{job.id}")
        with pytest.raises(openai.InternalServerError):
            await client.batches.retrieve(job.id)
        assert (await client.batches.cancel(job.id)).status == "cancelling"
        job = await client.batches.retrieve(job.id)
        assert (job.status, job.request_counts.completed, job.request_counts.failed) == ("cancelled", 1, 1)
        wrong, _ = await run_openai(client, [*lines("a", "a"), *lines("b", url="/v1/embeddings")])
        assert wrong.status == "failed"
        assert [(one.code, one.line) for one in wrong.errors.data] == [
            ("duplicate_custom_id", 2),
            ("invalid_url", 3),
        ]


def asked(*names):
    params = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi."}]}
    return [{"custom_id": name, "params": params} for name in names]


async def test_anthropics_client_runs_a_batch_to_its_results():
    async with AnthropicDouble(answer="yes") as double:
        double.play.fate = lambda name: {"a": "errored", "b": "expired"}.get(name, "succeeded")
        client = anthropic.AsyncAnthropic(base_url=double.url, api_key="k", max_retries=0)
        job = await client.messages.batches.create(requests=asked("a", "b", "c"))
        assert (job.processing_status, job.request_counts.processing) == ("in_progress", 3)
        assert (await client.messages.batches.retrieve(job.id)).processing_status == "in_progress"
        job = await client.messages.batches.retrieve(job.id)
        assert job.processing_status == "ended"
        found = {one.custom_id: one.result async for one in await client.messages.batches.results(job.id)}
        assert list(found) == ["c", "b", "a"]
        assert found["c"].message.content[0].text == "yes"
        assert found["c"].message.usage.service_tier == "batch"
        assert (found["a"].type, found["a"].error.error.type, found["b"].type) == (
            "errored",
            "api_error",
            "expired",
        )
        assert [one.id async for one in client.messages.batches.list()] == [job.id]


async def test_a_batch_of_claudes_is_cancelled_with_what_was_done():
    async with AnthropicDouble(answer="yes") as double:
        double.play.held, double.play.done_when_cancelled = True, 1
        client = anthropic.AsyncAnthropic(base_url=double.url, api_key="k", max_retries=0)
        job = await client.messages.batches.create(requests=asked("a", "b"))
        assert (await client.messages.batches.cancel(job.id)).processing_status == "canceling"
        job = await client.messages.batches.retrieve(job.id)
        assert (job.request_counts.succeeded, job.request_counts.canceled) == (1, 1)
        with pytest.raises(anthropic.BadRequestError, match="Duplicate"):
            await client.messages.batches.create(requests=asked("a", "a"))
