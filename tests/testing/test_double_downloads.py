"""Downloads from both doubles: progress, going on after a hang-up, and everything that ends them early."""

import asyncio
import hashlib
from dataclasses import replace

import pytest
from double_clients import ask, asking, read_reply

from headgate.testing import (
    Fault,
    LMStudioDouble,
    OllamaDouble,
    PullTrouble,
    ServedModel,
    Timing,
    VirtualClock,
)

GIB = 1 << 30
PHI = ServedModel(size=GIB)
PULL = {"model": "phi3"}


async def pull(double, **more):
    return await ask(double.url, "POST", "/api/pull", PULL | more)


async def names(double):
    return {m["name"]: m for m in (await ask(double.url, "GET", "/api/tags")).json["models"]}


def weights(got):
    """The progress of the first layer, in bytes; None is not said."""
    first = next(line["digest"] for line in got.lines if "digest" in line)
    return [line.get("completed") for line in got.lines if line.get("digest") == first]


# Ollama


async def test_a_pull_that_was_left_goes_on_where_it_stopped():
    clock = VirtualClock()
    timing = Timing(download_gib=100.0)
    async with OllamaDouble({}, library={"phi3": PHI}, clock=clock, timing=timing) as double:
        async with asking(double.url, "POST", "/api/pull", PULL) as reader:
            await clock.asleep()
            await clock.advance(30)
            await read_reply(reader, pieces=3)
        await double.idle()
        assert await names(double) == {}
        task = asyncio.create_task(pull(double))
        got = await clock.drive(asyncio.wait_for(task, 20))
        begun = weights(got)[0]
        assert 0.2 * GIB < begun < 0.3 * GIB
        assert got.lines[-1] == {"status": "success"}
        assert list(await names(double)) == ["phi3:latest"]


async def test_each_layer_of_a_pull_is_reported_to_its_end_and_together_they_are_the_model():
    async with OllamaDouble({}, library={"phi3": PHI}) as double:
        got = await pull(double)
        listed = (await names(double))["phi3:latest"]
    layers = {line["digest"]: line for line in got.lines if "digest" in line}
    assert len(layers) == 3
    assert all(line["completed"] == line["total"] for line in layers.values())
    assert sum(line["total"] for line in layers.values()) == listed["size"] == GIB
    assert next(iter(layers)) == f"sha256:{listed['digest']}"
    statuses = [line["status"] for line in got.lines if "digest" not in line]
    assert statuses == ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"]


TROUBLES = [
    (PullTrouble.DISK_FULL, "no space left on device", True),
    (PullTrouble.CUT, "max retries exceeded: unexpected EOF", True),
    (PullTrouble.DIGEST, "digest mismatch, file must be downloaded again: want sha256:", False),
    (PullTrouble.UNAUTHORIZED, "pull model manifest: unauthorized: access denied", False),
]


@pytest.mark.parametrize(("trouble", "text", "kept"), TROUBLES)
async def test_a_pull_fails_inside_a_stream_of_200_and_the_next_one_succeeds(trouble, text, kept):
    async with OllamaDouble({}, library={"phi3": PHI}) as double:
        double.break_pull("phi3", trouble, after=0.5)
        failed = await pull(double)
        assert await names(double) == {}
        again = await pull(double)
        assert list(await names(double)) == ["phi3:latest"]
    assert failed.status == 200
    assert text in failed.lines[-1]["error"]
    assert weights(again)[0] == (GIB // 2 if kept else None)
    assert again.lines[-1] == {"status": "success"}


async def test_a_pull_that_is_not_streamed_fails_with_a_500():
    async with OllamaDouble({}, library={"phi3": PHI}) as double:
        double.break_pull("phi3", PullTrouble.DISK_FULL)
        failed = await pull(double, stream=False)
        done = await pull(double, stream=False)
        lost = await ask(double.url, "POST", "/api/pull", {"model": "nope", "stream": False})
    assert (failed.status, done.json) == (500, {"status": "success"})
    assert failed.json["error"].endswith("no space left on device")
    assert (lost.status, lost.json) == (500, {"error": "pull model manifest: file does not exist"})


async def test_a_stalled_pull_says_no_more_until_the_caller_leaves():
    async with OllamaDouble({}, library={"phi3": PHI}) as double:
        double.break_pull("phi3", PullTrouble.STALL, after=0.25)
        async with asking(double.url, "POST", "/api/pull", PULL) as reader:
            got = await read_reply(reader, pieces=6)
            assert not got.whole
            assert got.lines[-1]["completed"] == GIB // 4
            assert double.in_flight == 1
        await double.idle()
        assert weights(await pull(double))[0] == GIB // 4


async def test_faults_of_the_wire_strike_a_pull_too():
    async with OllamaDouble({}, library={"phi3": PHI}) as double:
        double.inject(Fault.cut_mid_stream(after=3, abrupt=False), path="/api/pull")
        cut = await pull(double)
        assert (cut.whole, await names(double)) == (False, {})
        assert weights(await pull(double))[0] == weights(cut)[-1]


async def test_a_disk_fills_by_itself_and_deleting_a_model_makes_room():
    async with OllamaDouble({"a": PHI}, library={"phi3": PHI}, disk=GIB // 2) as double:
        failed = await pull(double)
        assert "no space left on device" in failed.lines[-1]["error"]
        assert weights(failed)[-1] == GIB // 2
        await ask(double.url, "DELETE", "/api/delete", {"model": "a"})
        assert (await pull(double)).lines[-1] == {"status": "success"}


async def test_another_content_under_the_same_name_is_another_digest_and_is_loaded_anew():
    async with OllamaDouble({"phi3": PHI}, answer="hi") as double:
        chat = {"model": "phi3", "messages": [{"role": "user", "content": "Hi."}], "stream": False}
        await ask(double.url, "POST", "/api/chat", chat)
        before = (await names(double))["phi3:latest"]["digest"]
        assert weights(await pull(double)) == [GIB - 1_482 - 486]  # all of it is there
        assert (await names(double))["phi3:latest"]["digest"] == before
        double.library["phi3:latest"] = replace(PHI, revision="2")
        got = await pull(double)
        assert {"status": "removing unused layers"} in got.lines
        assert (await names(double))["phi3:latest"]["digest"] != before
        await ask(double.url, "POST", "/api/chat", chat)
    assert len(double.loads) == 2


async def test_a_copy_is_the_same_files_under_another_name():
    async with OllamaDouble({"phi3": PHI}) as double:
        done = await ask(double.url, "POST", "/api/copy", {"source": "phi3", "destination": "mine"})
        lost = await ask(double.url, "POST", "/api/copy", {"source": "nope", "destination": "mine"})
        listed = await names(double)
        await ask(double.url, "DELETE", "/api/delete", {"model": "phi3"})
        assert list(await names(double)) == ["mine:latest"]
    assert (done.status, done.body) == (200, b"")
    assert (lost.status, lost.json) == (404, {"error": 'model "nope" not found'})
    assert listed["mine:latest"]["digest"] == listed["phi3:latest"]["digest"]


async def test_a_model_is_made_of_files_that_are_sent_to_it():
    content = b"GGUF" * 100
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    async with OllamaDouble({}) as double:
        blob = f"/api/blobs/{digest}"
        asked = [await ask(double.url, "HEAD", blob)]
        asked.append(await ask(double.url, "POST", blob, b"other"))
        asked.append(await ask(double.url, "POST", blob, content))
        asked.append(await ask(double.url, "POST", blob, content))
        made = await ask(double.url, "POST", "/api/create", {"model": "mine", "files": {"m.gguf": digest}})
        lost = await ask(double.url, "POST", "/api/create", {"model": "x", "files": {"m.gguf": "sha256:0"}})
        listed = await names(double)
    assert [got.status for got in asked] == [404, 400, 201, 200]
    assert [line["status"] for line in made.lines] == [
        "parsing GGUF", "verifying conversion", f"creating new layer {digest}", "writing manifest", "success"
    ]  # fmt: skip
    assert lost.status == 400
    assert listed["mine:latest"]["size"] == len(content)


# LM Studio


async def begin(double, **more):
    return (await ask(double.url, "POST", "/api/v1/models/download", PULL | more)).json


async def status(double, job):
    return (await ask(double.url, "GET", f"/api/v1/models/download/status/{job['job_id']}")).json


async def keys(double):
    return [m["key"] for m in (await ask(double.url, "GET", "/api/v1/models")).json["models"]]


async def test_a_download_is_a_job_that_goes_on_by_itself():
    clock = VirtualClock()
    timing = Timing(download_gib=100.0)
    async with LMStudioDouble({}, library={"phi3": PHI}, clock=clock, timing=timing) as double:
        job = await begin(double)
        assert (job["status"], job["total_size_bytes"]) == ("downloading", GIB)
        await clock.advance(25)
        said = await status(double, job)
        assert (said["status"], said["downloaded_bytes"]) == ("downloading", GIB // 4)
        assert said["bytes_per_second"] == GIB // 100
        assert (await begin(double))["job_id"] == job["job_id"]
        assert await keys(double) == []
        await clock.advance(76)
        assert await keys(double) == ["phi3"]
        said = await status(double, job)
        assert (said["status"], said["downloaded_bytes"], "completed_at" in said) == ("completed", GIB, True)
        assert await begin(double) == {"status": "already_downloaded"}


async def test_a_download_rests_and_goes_on():
    clock = VirtualClock()
    timing = Timing(download_gib=100.0)
    async with LMStudioDouble({}, library={"phi3": PHI}, clock=clock, timing=timing) as double:
        job = await begin(double)
        await clock.advance(50)
        double.downloads.pause("phi3")
        await clock.advance(1000)
        said = await status(double, job)
        assert (said["status"], said["downloaded_bytes"]) == ("paused", GIB // 2)
        double.downloads.resume("phi3")
        await clock.advance(51)
        assert (await status(double, job))["status"] == "completed"


@pytest.mark.parametrize(
    ("trouble", "ends_as", "bytes_there"),
    [
        (PullTrouble.CUT, "failed", GIB // 2),
        (PullTrouble.DISK_FULL, "failed", GIB // 2),
        (PullTrouble.STALL, "downloading", GIB // 2),
        (PullTrouble.DIGEST, "failed", GIB),
        (PullTrouble.UNAUTHORIZED, "failed", 0),
    ],
)
async def test_a_download_in_trouble_is_no_model(trouble, ends_as, bytes_there):
    async with LMStudioDouble({}, library={"phi3": PHI}) as double:
        double.break_download("phi3", trouble)
        said = await status(double, await begin(double))
        assert (said["status"], said["downloaded_bytes"]) == (ends_as, bytes_there)
        assert await keys(double) == []


async def test_a_download_that_failed_goes_on_in_a_new_job():
    clock = VirtualClock()
    timing = Timing(download_gib=100.0)
    async with LMStudioDouble({}, library={"phi3": PHI}, clock=clock, timing=timing) as double:
        double.break_download("phi3", PullTrouble.CUT)
        first = await begin(double)
        await clock.advance(60)
        assert (await status(double, first))["status"] == "failed"
        second = await begin(double)
        assert second["job_id"] != first["job_id"]
        assert (await status(double, second))["downloaded_bytes"] == GIB // 2


async def test_what_lm_studio_does_not_know_is_not_found():
    async with LMStudioDouble({}, library={"phi3@q4_k_m": PHI}) as double:
        lost = await ask(double.url, "POST", "/api/v1/models/download", {"model": "nope"})
        job = await ask(double.url, "GET", "/api/v1/models/download/status/job_0")
        quantized = await begin(double, quantization="Q4_K_M")
    assert (lost.status, lost.json["error"]["type"]) == (404, "model_not_found")
    assert (job.status, job.json["error"]["type"]) == (404, "job_not_found")
    assert quantized["status"] == "downloading"
