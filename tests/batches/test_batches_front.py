"""OpenAI's Batch API at the gate, through OpenAI's own client. The engine is the embedded one."""

import asyncio
import io
import json
import os
from contextlib import asynccontextmanager
from time import monotonic, sleep

import httpx2
import pytest
from batch_shell import NANO

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.gateway.listening import bind
from headgate.ledger.queries import LedgerReader

openai = pytest.importorskip("openai")
pytest.importorskip("xllamacpp")

CHAT = "/v1/chat/completions"
EMBED = """
[models.embed]
engine = "home"
id = "headgate-embed"
kind = "embedding"
"""


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch):
    """What the gate keeps beside its ledger is this test's own."""
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path / "data"))


def page(folder, more=""):
    return NANO.replace('flush = "5ms"', f'flush = "5ms"\npath = "{folder}/ledger.db"') + EMBED + more


@asynccontextmanager
async def gate_in(folder, more=""):
    """A gate on a port, and OpenAI's client for it."""
    async with open_gate(parse_config(page(folder, more), folder / "headgate.toml")) as gate:
        address = asyncio.get_running_loop().create_future()
        served = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), address.set_result))
        try:
            async with openai.AsyncOpenAI(
                base_url=f"{await address}/v1", api_key="secret", max_retries=0
            ) as client:
                yield client
        finally:
            gate.stop()
            await served


def line(custom_id, url=CHAT, **body):
    asked = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Was I charged twice?"}],
        "max_tokens": 8,
    }
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": asked | body}


def jsonl(values, name="in.jsonl"):
    file = io.BytesIO(
        "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values).encode()
    )
    file.name = name
    return file


async def begin(client, values, endpoint=CHAT, **more):
    file = await client.files.create(file=jsonl(values), purpose="batch")
    return await client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more
    )


async def ended(client, job, seconds=60):
    async with asyncio.timeout(seconds):
        while (job := await client.batches.retrieve(job.id)).status not in (
            "completed", "failed", "expired", "cancelled",
        ):  # fmt: skip
            await asyncio.sleep(0.02)
    return job


async def lines_of(client, file):
    return (
        []
        if file is None
        else [json.loads(one) for one in (await client.files.content(file)).text.splitlines()]
    )


async def test_openais_client_has_a_file_of_requests_answered(tmp_path):
    async with gate_in(tmp_path) as client:
        job = await begin(client, [line(f"mail-{n}") for n in range(30)], metadata={"whose": "mine"})
        assert (job.status, job.metadata, job.endpoint) == ("validating", {"whose": "mine"}, CHAT)
        assert job.expires_at - job.created_at == 86_400
        done = await ended(client, job)
        assert done.status == "completed", done
        assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (
            30,
            30,
            0,
        )
        assert done.error_file_id is None
        assert done.usage.output_tokens > 0
        assert done.in_progress_at <= done.finalizing_at <= done.completed_at
        said = await lines_of(client, done.output_file_id)
        assert [one["custom_id"] for one in said] == [f"mail-{n}" for n in range(30)]
        for one in said:
            assert one["error"] is None
            response = one["response"]
            assert (response["status_code"], response["body"]["object"]) == (200, "chat.completion")
            assert response["body"]["choices"][0]["message"]["content"]
        ids = {one["response"]["request_id"] for one in said}
        assert [one.id async for one in client.batches.list()] == [job.id]
        files = [one async for one in client.files.list()]
        assert [(one.purpose, one.filename) for one in files if one.purpose == "batch"] == [
            ("batch", "in.jsonl")
        ]
        assert len(files) == 2
        for file in files:
            assert (await client.files.delete(file.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.files.content(done.output_file_id)
    with LedgerReader(tmp_path / "ledger.db") as ledger:
        assert {one.outcome.id for one in ledger.all()} == ids, "each request has its row"
    assert list((tmp_path / "batches" / "files").iterdir()) == []
    assert b"secret" not in b"".join(one.read_bytes() for one in (tmp_path / "batches").rglob("*.json"))


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        ("/v1/embeddings", {"model": "embed", "input": ["one", "two"]}, "list"),
        ("/v1/responses", {"model": "auto", "input": "Hi.", "max_output_tokens": 16}, "response"),
        ("/v1/completions", {"model": "auto", "prompt": "Hi.", "max_tokens": 8}, "text_completion"),
    ],
)
async def test_every_endpoint_of_openais_that_is_served_takes_batches(tmp_path, endpoint, body, kind):
    async with gate_in(tmp_path) as client:
        value = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
        done = await ended(client, await begin(client, [value], endpoint))
        said = await lines_of(client, done.output_file_id)
        assert said[0]["response"]["body"]["object"] == kind
        assert done.usage.input_tokens > 0


async def test_a_request_that_fails_has_its_line_in_the_error_file_and_stops_no_other(tmp_path):
    async with gate_in(tmp_path) as client:
        values = [
            line("good"),
            line("no-model", model="gpt-17"),
            line("streamed", stream=True),
            line("hot", temperature="x"),
        ]
        done = await ended(client, await begin(client, values))
        assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 1, 3)
        bad = {one["custom_id"]: one["response"] for one in await lines_of(client, done.error_file_id)}
        assert {name: one["status_code"] for name, one in bad.items()} == {
            "no-model": 404,
            "streamed": 400,
            "hot": 400,
        }
        assert bad["no-model"]["body"]["error"]["code"] == "model_not_found"
        assert bad["streamed"]["body"]["error"]["param"] == "stream"


async def test_batches_go_on_side_by_side_and_each_has_its_own_results(tmp_path):
    async with gate_in(tmp_path) as client:
        jobs = [await begin(client, [line(f"{name}-{n}") for n in range(20)]) for name in "abc"]
        done = [await ended(client, job) for job in jobs]
        for name, job in zip("abc", done, strict=True):
            said = await lines_of(client, job.output_file_id)
            assert [one["custom_id"] for one in said] == [f"{name}-{n}" for n in range(20)]


async def test_a_subagent_is_asked_by_a_batch_like_any_model(tmp_path):
    async with gate_in(tmp_path) as client:
        done = await ended(client, await begin(client, [line("a", model="agent:kind")]))
        said = await lines_of(client, done.output_file_id)
        content = said[0]["response"]["body"]["choices"][0]["message"]["content"]
        assert content in ("billing", "technical", "feature-request", "escalation")


async def test_what_is_wrong_with_a_file_is_named_with_its_line_and_nothing_is_asked(tmp_path):
    async with gate_in(tmp_path) as client:
        values = [
            line("a"), "{not json", line("a"), line("b", url="/v1/embeddings"), line("c") | {"method": "GET"},
            {"custom_id": "d"}, line("e") | {"body": []}, line(""),
        ]  # fmt: skip
        failed = await ended(client, await begin(client, values))
        assert failed.status == "failed"
        assert [(one.line, one.code) for one in failed.errors.data] == [
            (2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "mismatched_endpoint"), (5, "invalid_method"),
            (6, "missing_required_parameter"), (7, "invalid_body"), (8, "invalid_custom_id"),
        ]  # fmt: skip
        empty = await ended(client, await begin(client, ["", ""]))
        assert [(one.code, one.line) for one in empty.errors.data] == [("empty_file", None)]
        assert empty.failed_at
    with LedgerReader(tmp_path / "ledger.db") as ledger:
        assert list(ledger.all()) == []


async def test_what_is_asked_wrongly_is_refused(tmp_path):
    async with gate_in(tmp_path, "\n[batches]\nfile_limit_mb = 1\n") as client:
        file = await client.files.create(file=jsonl([line("a")]), purpose="batch")
        for wrong in (
            {"endpoint": "/v1/messages"}, {"completion_window": "1h"},
            {"metadata": {"k": "v" * 600}}, {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
        ):  # fmt: skip
            asked = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"} | wrong
            with pytest.raises(openai.BadRequestError) as refused:
                await client.batches.create(**asked)
            assert next(iter(wrong)) in f"{refused.value.param} {refused.value}"
        with pytest.raises(openai.BadRequestError, match="purpose"):
            await client.files.create(file=jsonl([]), purpose="fine-tune")
        with pytest.raises(openai.APIStatusError, match="file_limit_mb") as large:
            await client.files.create(file=jsonl(["x" * 1_100_000]), purpose="batch")
        assert large.value.status_code == 413
        with pytest.raises(openai.BadRequestError, match="form"):
            await client.post("/files", body={"purpose": "batch"}, cast_to=object)
        for missing in (
            client.files.retrieve("file-x"),
            client.batches.retrieve("batch_x"),
            client.batches.cancel("batch_x"),
            client.batches.create(input_file_id="file-x", endpoint=CHAT, completion_window="24h"),
        ):
            with pytest.raises(openai.NotFoundError):
                await missing
        assert len([one async for one in client.files.list()]) == 1, "nothing half is kept"


async def test_lists_come_in_pages(tmp_path):
    async with gate_in(tmp_path) as client:
        made = [
            (await client.files.create(file=jsonl([line("a")], f"{n}.jsonl"), purpose="batch")).id
            for n in range(5)
        ]
        first = await client.files.list(limit=2)
        assert (len(first.data), first.has_more) == (2, True)
        assert {one.id async for one in client.files.list(limit=2)} == set(made)
        assert [one.id async for one in client.files.list(limit=2, order="asc")] == [
            one.id async for one in client.files.list()
        ][::-1]
        assert (await client.files.list(limit=10_000, extra_query={"purpose": "batch_output"})).data == []
        for wrong in ({"after": "file-x"}, {"limit": 0}, {"limit": 10_001}, {"order": "up"}):
            with pytest.raises(openai.BadRequestError) as refused:
                await client.files.list(**wrong)
            assert refused.value.param == next(iter(wrong))


async def test_who_removes_what_he_lists_gets_to_the_end_of_the_list(tmp_path):
    async with gate_in(tmp_path) as client:
        made = [
            (await client.files.create(file=jsonl([line("a")], f"{n}.jsonl"), purpose="batch")).id
            for n in range(5)
        ]
        seen = []
        async for one in client.files.list(limit=2):
            seen.append(one.id)
            await client.files.delete(one.id)
        assert sorted(seen) == sorted(made)
        assert (await client.files.list()).data == []


async def test_a_file_larger_than_other_bodies_is_taken_and_given_back_byte_for_byte(tmp_path):
    body = os.urandom(3_000_000) + b"\r\n--x\r\n"
    async with gate_in(tmp_path) as client:
        small = client.with_options(max_retries=0)
        file = await small.files.create(file=("big.jsonl", body), purpose="batch")
        assert file.bytes == len(body)
        assert (await client.files.content(file.id)).content == body


async def test_a_cancelled_batch_has_what_was_answered_and_names_the_rest(tmp_path):
    async with gate_in(tmp_path) as client:
        job = await begin(client, [line(f"{n}", max_tokens=200) for n in range(400)])
        while (await client.batches.retrieve(job.id)).request_counts.completed < 5:
            await asyncio.sleep(0.01)
        assert (await client.batches.cancel(job.id)).status == "cancelling"
        done = await ended(client, job)
        assert done.status == "cancelled"
        assert done.cancelling_at <= done.cancelled_at
        good, bad = await lines_of(client, done.output_file_id), await lines_of(client, done.error_file_id)
        assert 5 <= len(good) < 400
        assert {one["custom_id"] for one in good + bad} == {str(n) for n in range(400)}
        assert {one["error"]["code"] for one in bad} == {"batch_cancelled"}
        assert (done.request_counts.completed, done.request_counts.failed) == (len(good), len(bad))


async def test_a_batch_that_is_not_done_in_its_window_expires(tmp_path, monkeypatch):
    monkeypatch.setattr("headgate.batches.front.desk.DAY", 1)
    async with gate_in(tmp_path) as client:
        done = await ended(client, await begin(client, [line(f"{n}", max_tokens=300) for n in range(2000)]))
        assert done.status == "expired"
        bad = await lines_of(client, done.error_file_id)
        assert {one["error"]["code"] for one in bad} == {"batch_expired"}
        assert len(await lines_of(client, done.output_file_id)) + len(bad) == 2000


async def test_a_request_that_nobody_can_take_just_then_is_put_to_the_gate_again(tmp_path, monkeypatch):
    from headgate.batches.front.desk import Desk

    monkeypatch.setattr("headgate.batches.front.course.AGAIN", (0.01, 0.01))
    asked = []

    async def busy(call):
        asked.append(call.body)
        if len(asked) < 3:
            call.answer(503, b"x-should-retry: true\r\n", b"{}")
        elif len(asked) == 3:
            call.answer(200, b"x-headgate-request-id: r\r\n", b'{"usage":{"prompt_tokens":2}}')
        else:
            call.answer(503, b"x-should-retry: false\r\n", b'{"error":{}}')

    desk = Desk(tmp_path / "batches", busy, at_once=1)
    assert desk.open()
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(line("a")) + "\n" + json.dumps(line("b")) + "\n")
    job = await desk.create(CHAT, source, prefix="batch_", metadata=None, headers={}, lives=None)
    while job.status != "completed":
        await asyncio.sleep(0.01)
    await desk.close()
    assert (job.request_counts.completed, job.request_counts.failed, len(asked)) == (1, 1, 4)
    assert job.usage.input_tokens == 2


async def test_two_gates_do_not_share_a_folder(tmp_path):
    async with gate_in(tmp_path) as client:
        await client.files.create(file=jsonl([line("a")]), purpose="batch")
        async with gate_in(tmp_path) as other:
            with pytest.raises(openai.APIStatusError, match="another gate"):
                await other.files.list()


@asynccontextmanager
async def claude_in(folder):
    anthropic = pytest.importorskip("anthropic")
    async with (
        gate_in(folder) as client,
        anthropic.AsyncAnthropic(
            base_url=str(client.base_url).removesuffix("/v1/"), api_key="k", max_retries=0
        ) as claude,
    ):
        yield claude.messages.batches, anthropic


def message(custom_id, **more):
    params = {"model": "auto", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi."}]}
    return {"custom_id": custom_id, "params": params | more}


async def over(batches, job):
    async with asyncio.timeout(60):
        while (job := await batches.retrieve(job.id)).processing_status != "ended":
            await asyncio.sleep(0.02)
    return job


async def test_anthropics_client_has_messages_answered(tmp_path):
    async with claude_in(tmp_path) as (batches, _):
        job = await batches.create(
            requests=[
                *(message(f"m-{n}") for n in range(20)),
                message("bad", model="none"),
                message("s", stream=True),
            ]
        )
        assert (job.type, job.processing_status, job.results_url) == ("message_batch", "in_progress", None)
        done = await over(batches, job)
        counts = done.request_counts
        assert (counts.succeeded, counts.errored, counts.processing, counts.canceled) == (20, 2, 0, 0)
        said = {one.custom_id: one.result async for one in await batches.results(job.id)}
        assert len(said) == 22
        assert said["m-3"].message.content[0].text
        assert said["bad"].error.error.type == "not_found_error"
        assert said["s"].error.error.type == "invalid_request_error"
        other = await batches.create(requests=[message("other")])
        await over(batches, other)
        assert [one.id async for one in batches.list(limit=1)] == [other.id, job.id]
        assert [one.custom_id async for one in await batches.results(other.id)] == ["other"]
        assert (await batches.delete(job.id)).type == "message_batch_deleted"
        assert [one.id async for one in batches.list()] == [other.id]
    assert len(list((tmp_path / "batches" / "jobs").iterdir())) == 1


async def test_anthropics_list_goes_on_from_both_ends_of_a_page(tmp_path):
    async with claude_in(tmp_path) as (batches, anthropic):
        made = [(await batches.create(requests=[message("a")])).id for _ in range(4)]
        oldest, newest = made[0], made[-1]
        assert [one.id async for one in batches.list(limit=1)] == made[::-1]
        assert [one.id async for one in batches.list(limit=1, before_id=oldest)] == made[1:]
        between = await batches.list(after_id=newest, before_id=oldest)
        assert [one.id for one in between.data] == made[2:0:-1]
        await over(batches, await batches.retrieve(made[1]))
        await batches.delete(made[1])
        assert [one.id async for one in batches.list(after_id=made[1])] == [oldest]
        for wrong in ({"limit": 0}, {"limit": 1001}, {"after_id": oldest[3:]}, {"before_id": "batch_0"}):
            with pytest.raises(anthropic.BadRequestError, match=next(iter(wrong))):
                await batches.list(**wrong)


async def test_a_cancelled_batch_of_messages_names_what_was_not_done(tmp_path):
    async with claude_in(tmp_path) as (batches, anthropic):
        job = await batches.create(requests=[message(f"{n}", max_tokens=200) for n in range(300)])
        while (await batches.retrieve(job.id)).request_counts.succeeded < 3:
            await asyncio.sleep(0.01)
        with pytest.raises(anthropic.NotFoundError, match="has not ended"):
            await batches._client.get(f"/v1/messages/batches/{job.id}/results", cast_to=object)
        with pytest.raises(anthropic.BadRequestError, match="cancel it first"):
            await batches.delete(job.id)
        assert (await batches.cancel(job.id)).processing_status == "canceling"
        counts = (await over(batches, job)).request_counts
        assert counts.succeeded >= 3
        assert counts.succeeded + counts.canceled == 300
        kinds = [one.result.type async for one in await batches.results(job.id)]
        assert (kinds.count("succeeded"), kinds.count("canceled")) == (counts.succeeded, counts.canceled)


async def test_a_batch_of_messages_that_is_wrong_is_refused_in_anthropics_words(tmp_path):
    async with claude_in(tmp_path) as (batches, anthropic):
        for requests, said in (
            ([], "1 to 100,000"), ([message("a"), message("a")], "requests.1"), ([message("")], "custom_id"),
            ([{"custom_id": "a", "params": []}], "params"),
        ):  # fmt: skip
            with pytest.raises(anthropic.BadRequestError, match=said):
                await batches.create(requests=requests)
        with pytest.raises(anthropic.NotFoundError):
            await batches.retrieve("msgbatch_x")
        assert [one async for one in batches.list()] == []


def opened(shell):
    process = shell.start("up")
    while " is open at " not in (said := process.stderr.readline()):
        assert said, "the gate did not open"
    return process, said.split(" is open at ")[1].split()[0]


@pytest.mark.timeout(240)
def test_a_killed_gate_goes_on_with_its_batches_and_asks_nothing_again(shell):
    many = 1500
    shell.write(NANO)
    process, url = opened(shell)
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    file = client.files.create(file=jsonl([line(f"{n}", max_tokens=6) for n in range(many)]), purpose="batch")
    job = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    client.files.delete(file.id)
    results = shell.home / "data" / "batches" / "jobs" / job.id / "results.jsonl"
    kept = {}
    for target in (20, 400, 900):
        shell.wait_for_lines(process, target, str(results))
        process.kill()
        process.communicate()
        for text in results.read_bytes().splitlines(keepends=True):
            if text.endswith(b"\n"):
                one = json.loads(text)
                assert kept.setdefault(one["item"], one) == one
        process, url = opened(shell)
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    until = monotonic() + 100
    while (done := client.batches.retrieve(job.id)).status != "completed":
        assert done.status in ("in_progress", "finalizing")
        assert monotonic() < until
        sleep(0.05)
    said = [json.loads(one) for one in client.files.content(done.output_file_id).text.splitlines()]
    process.terminate()
    process.communicate()
    assert [one["custom_id"] for one in said] == [str(n) for n in range(many)]
    assert all(
        said[item - 1]["response"]["request_id"] == one["output"]["request_id"] for item, one in kept.items()
    )
    assert len({one["response"]["request_id"] for one in said}) == many


async def test_what_a_batch_was_asked_and_answered_lies_nowhere_once_it_is_over_and_its_files_are_deleted(
    tmp_path,
):
    async with gate_in(tmp_path) as client:
        done = await ended(client, await begin(client, [line("a")]))
        failed = await ended(client, await begin(client, [line("b", url="/v1/nowhere")]))
        assert (done.status, failed.status) == ("completed", "failed")
        for file in (done.input_file_id, done.output_file_id, failed.input_file_id):
            await client.files.delete(file)
        orphan = tmp_path / "batches" / "jobs" / "batch_never_begun"
        orphan.mkdir()
        (orphan / "input.jsonl").write_text("a secret")
    async with gate_in(tmp_path) as client:
        assert [one.id async for one in client.batches.list()] == [failed.id, done.id]
    left = [one.name for one in (tmp_path / "batches").rglob("*") if one.is_file()]
    assert sorted(left) == ["batch.json", "batch.json", "lock"]


async def test_a_damaged_page_is_named_and_left_and_the_gate_opens_with_the_others(tmp_path, caplog):
    async with gate_in(tmp_path) as client:
        lost = await ended(client, await begin(client, [line("a")]))
        kept = await ended(client, await begin(client, [line("b")]))
    folder = tmp_path / "batches"
    (page,) = folder.rglob(f"{lost.id}/batch.json")
    (file,) = folder.rglob(f"{lost.input_file_id}.json")
    for damaged in (page, file):
        damaged.write_bytes(damaged.read_bytes()[:20])
    async with gate_in(tmp_path) as client:
        assert [one.id async for one in client.batches.list()] == [kept.id]
        assert lost.input_file_id not in [one.id async for one in client.files.list()]
        assert len(await lines_of(client, kept.output_file_id)) == 1
    assert {record.args[0] for record in caplog.records if "is damaged" in record.message} == {page, file}
    assert page.exists()
    assert file.with_suffix(".jsonl").exists()


async def test_an_empty_file_and_an_endless_limit_are_read_as_what_they_are(tmp_path):
    form = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\n'
    form += b'content-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n--x--\r\n'
    async with gate_in(tmp_path) as client, httpx2.AsyncClient(base_url=str(client.base_url)) as plain:
        kind = {"content-type": "multipart/form-data; boundary=x"}
        said = await plain.post("files", content=form, headers=kind)
        assert (said.status_code, said.json()["bytes"]) == (200, 0)
        for path in ("files", "batches", "messages/batches"):
            for limit in ("9" * 5000, "0", "-1", "", "ten", "5&limit=5"):
                said = await plain.get(f"{path}?limit={limit}")
                assert (said.status_code, "limit is" in said.text) == (400, True), (path, limit)


async def test_an_upload_that_the_disk_does_not_take_is_refused_and_the_gate_goes_on(tmp_path, caplog):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with gate_in(tmp_path) as client:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
        try:
            for size in (2_999_900, 9_000_000):
                with pytest.raises((openai.InternalServerError, openai.APIConnectionError)):
                    await client.files.create(file=("a.jsonl", b"x" * size), purpose="batch")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert [one async for one in client.files.list()] == []
        assert (await ended(client, await begin(client, [line("a")]))).status == "completed"
    assert "failed inside the gate" not in caplog.text
    assert "connection_lost" not in caplog.text
