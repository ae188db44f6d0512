"""Models are pulled from Hugging Face, a double of it on two real ports: whole and checked, or not at all."""

import asyncio
import contextlib
import errno
import json
import random
import shutil
from types import SimpleNamespace

import pytest

from gguf_files import put_together, words
from headgate.core.engine import Progress
from headgate.core.types import Failure
from headgate.engines.llamacpp.hugging_face import Hub, hub_from_environment, pull
from headgate.engines.llamacpp.part import Part
from headgate.testing import Fault, HuggingFaceDouble
from headgate.testing.replies import Plain

HEAD = put_together([words("general.architecture", "llama")], [])
CONTENT = HEAD + random.Random(1).randbytes(5_000_000)
REPOSITORY = "owner/model-GGUF"
NAME = f"hf.co/{REPOSITORY}:Q4_K_M"
FILE = "model-Q4_K_M.gguf"


@pytest.fixture
def repositories():
    return {REPOSITORY: {"README.md": b"# A model", FILE: CONTENT, "model-Q8_0.gguf": HEAD + b"8"}}


@pytest.fixture
async def hub(repositories):
    async with HuggingFaceDouble(repositories) as double:
        yield double


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


async def steps_of(hub, folder, name=NAME, **settings):
    return [step async for step in pull(name, folder, Hub(url=hub.url, **settings))]


async def failure_of(hub, folder, name=NAME, **settings):
    *progress, last = await steps_of(hub, folder, name, **settings)
    assert isinstance(last, Failure)
    assert all(isinstance(step, Progress) for step in progress)
    assert "\n" not in last.detail
    return last


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def ranges(hub):
    return [call.headers.get("range") for call in hub.files.calls]


async def test_a_model_arrives_whole_with_its_progress(hub, folder):
    steps = await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == CONTENT
    assert files_in(folder) == [f"{REPOSITORY}/{FILE}"]
    come = [step.completed for step in steps if step.step == "downloading" and step.completed is not None]
    assert come == sorted(come)
    assert come[-1] == len(CONTENT)
    assert {step.total for step in steps if step.file} == {len(CONTENT)}
    assert steps[-1].step == "verifying"


async def test_what_is_there_is_checked_and_not_fetched_again(hub, folder):
    await steps_of(hub, folder)
    await steps_of(hub, folder)
    assert len(hub.files.calls) == 1


async def test_what_has_changed_on_the_hub_is_fetched_anew_even_if_it_is_as_long(hub, folder, repositories):
    await steps_of(hub, folder)
    changed = CONTENT[:-1] + b"x"
    repositories[REPOSITORY][FILE] = changed
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == changed


async def test_a_token_is_shown_to_the_hub_and_not_to_where_it_redirects(hub, folder):
    await steps_of(hub, folder, token="hf_secret")
    assert {call.headers["authorization"] for call in hub.calls} == {"Bearer hf_secret"}
    assert ["authorization" in call.headers for call in hub.files.calls] == [False]
    assert "hf_secret" not in repr(Hub(token="hf_secret"))


async def test_a_signed_address_is_followed_as_it_is(hub, folder):
    await steps_of(hub, folder)
    assert hub.files.calls[0].query == "X-Amz-Signature=abc%2Fdef&Expires=1"


@pytest.mark.parametrize("cut", [Fault.cut_mid_stream(abrupt=False), Fault.stall_mid_stream()])
async def test_a_download_that_breaks_off_goes_on_where_it_stopped(hub, folder, cut):
    hub.files.inject(cut)
    failure = await failure_of(hub, folder, patience=0.2)
    assert failure.hint == "run it again: it goes on where it stopped"
    assert failure.reason in ("broken_stream", "timeout")
    part = folder / REPOSITORY / f"{FILE}.part"
    assert 0 < part.stat().st_size < len(CONTENT)
    assert not (folder / REPOSITORY / FILE).exists()
    had = part.stat().st_size
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == CONTENT
    assert ranges(hub) == [None, f"bytes={had}-"]
    assert len(files_in(folder)) == 1


async def test_a_pull_that_is_given_up_leaves_a_part_that_the_next_one_continues(hub, folder):
    hub.files.inject(Fault.stall_mid_stream())
    async with contextlib.aclosing(pull(NAME, folder, Hub(url=hub.url))) as steps:
        async for step in steps:
            if isinstance(step, Progress) and step.completed:
                break
    await hub.files.idle()  # it has hung up
    assert FILE not in [path.name for path in (folder / REPOSITORY).iterdir()]
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == CONTENT
    assert ranges(hub)[1].startswith("bytes=")


async def test_a_pull_that_is_cancelled_leaves_no_connection(hub, folder):
    hub.files.inject(Fault.stall_mid_stream())
    begun = asyncio.Event()

    async def go():
        async for step in pull(NAME, folder, Hub(url=hub.url)):
            if isinstance(step, Progress) and step.completed:
                begun.set()

    task = asyncio.create_task(go())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await asyncio.wait_for(hub.files.idle(), 5)


async def test_a_file_that_changed_meanwhile_starts_anew(hub, folder, repositories):
    hub.files.inject(Fault.cut_mid_stream(abrupt=False))
    await failure_of(hub, folder)
    changed = HEAD + random.Random(2).randbytes(5_000_000)
    repositories[REPOSITORY][FILE] = changed
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == changed
    assert ranges(hub) == [None, None]


async def test_a_part_whose_entity_tag_has_changed_starts_anew(hub, folder):
    hub.files.inject(Fault.cut_mid_stream(abrupt=False))
    await failure_of(hub, folder)
    note = folder / REPOSITORY / f"{FILE}.part.json"
    kept = json.loads(note.read_bytes())
    note.write_text(json.dumps(kept | {"etag": '"another"'}))
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == CONTENT


@pytest.mark.parametrize("note", [b"", b"{}", b"not json"])
async def test_a_part_of_which_nothing_is_known_starts_anew(hub, folder, note):
    place = folder / REPOSITORY
    place.mkdir(parents=True)
    (place / f"{FILE}.part").write_bytes(b"junk")
    (place / f"{FILE}.part.json").write_bytes(note)
    await steps_of(hub, folder)
    assert (place / FILE).read_bytes() == CONTENT
    assert ranges(hub) == [None]


async def test_a_wrong_checksum_leaves_nothing(repositories, folder):
    async with HuggingFaceDouble(repositories, wrong_checksums=frozenset({FILE})) as hub:
        failure = await failure_of(hub, folder)
    assert (failure.detail, failure.hint) == (f"{FILE} came with a wrong checksum", "run it again")
    assert files_in(folder) == []


async def test_a_file_that_is_no_model_is_noticed_at_its_first_bytes(hub, folder, repositories):
    repositories[REPOSITORY][FILE] = b"<!DOCTYPE html>" + bytes(5_000_000)
    failure = await failure_of(hub, folder)
    assert failure.reason == "malformed"
    assert "is no GGUF file" in failure.detail
    assert files_in(folder) == []


async def test_a_file_with_a_broken_head_is_no_model_and_is_not_kept(hub, folder, repositories):
    repositories[REPOSITORY][FILE] = b"GGUF" + bytes(5_000)
    failure = await failure_of(hub, folder)
    assert "cannot be used" in failure.detail
    assert "choose another repository or quantization" in failure.hint
    assert files_in(folder) == []


async def test_a_file_of_which_nothing_came_leaves_nothing(hub, folder):
    hub.files.inject(Fault.server_error())
    assert (await failure_of(hub, folder)).status == 503
    assert files_in(folder) == []


async def test_a_full_disk_is_told_and_the_next_pull_goes_on_where_it_stopped(hub, folder, monkeypatch):
    append = Part.append

    def fill_up(part, data):
        if part.have:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(part, data)

    monkeypatch.setattr(Part, "append", fill_up)
    failure = await failure_of(hub, folder)
    assert failure.detail == f"the disk of {folder} is full"
    assert failure.hint.startswith("make room")
    assert not (folder / REPOSITORY / FILE).exists()
    monkeypatch.undo()
    await steps_of(hub, folder)
    assert (folder / REPOSITORY / FILE).read_bytes() == CONTENT
    assert ranges(hub)[1] is not None


async def test_free_disk_is_checked_before_anything_is_fetched(hub, folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
    failure = await failure_of(hub, folder)
    assert "needs 0.0 GB more, and 0.1 GB are free" in failure.detail
    assert "make room" in failure.hint
    assert not hub.files.calls


async def test_a_folder_that_cannot_be_written_is_told(hub, tmp_path):
    folder = tmp_path / "models"
    folder.write_text("a file")
    failure = await failure_of(hub, folder)
    assert "cannot be written" in failure.detail


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "hf.co/owner/nothing",
            "does not exist, or is private (check the name; for a private one set HF_TOKEN",
        ),
        (f"hf.co/{REPOSITORY}:Q2_K", "is not there (choose one of Q4_K_M, Q8_0)"),
        ("owner/model", "is no repository (write hf.co/OWNER/REPO"),
    ],
)
async def test_a_name_that_leads_nowhere_is_told_with_what_to_do(hub, folder, name, what):
    failure = await failure_of(hub, folder, name)
    assert what in f"{failure.detail} ({failure.hint})"
    assert not folder.exists()


async def test_a_repository_without_gguf_files_says_so(hub, folder, repositories):
    repositories["owner/plain"] = {"model.safetensors": b"weights", "mmproj-model.gguf": HEAD}
    failure = await failure_of(hub, folder, "hf.co/owner/plain")
    assert "has no GGUF file" in failure.detail


async def test_a_gated_repository_says_where_its_terms_are(repositories, folder):
    async with HuggingFaceDouble(repositories, gated=frozenset({REPOSITORY})) as hub:
        failure = await failure_of(hub, folder)
        assert "is gated" in failure.detail
        assert "accept its terms at https://huggingface.co/owner/model-GGUF" in failure.hint
        assert failure.status == 401
        await steps_of(hub, folder, token="hf_mine")
    assert (folder / REPOSITORY / FILE).exists()


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault.malformed_json(), "in place of a list of files"),
        (Fault.server_error(), "Hugging Face answered 500"),
        (Fault.rate_limited(), "wants fewer requests"),
        (Fault.refuse(), "nothing listens at"),
        (Fault.half_open(), "within 0.2 s"),
        (Fault.cut_before_headers(), "closed the connection"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_a_hub_that_misbehaves_is_one_line(hub, folder, fault, what):
    hub.inject(fault, times=2)
    failure = await failure_of(hub, folder, patience=0.2)
    assert what in failure.detail
    assert not folder.exists()


async def test_a_page_in_place_of_a_list_hints_at_a_proxy(hub, folder, monkeypatch):
    monkeypatch.setattr(
        hub, "reply", lambda *_: Plain(b"<html>log in</html>", content_type="text/html; charset=x")
    )
    failure = await failure_of(hub, folder)
    assert "answered with text/html in place of a list of files" in failure.detail
    assert "a proxy or a login page" in failure.hint


async def test_redirects_without_end_are_given_up(hub, folder, monkeypatch):
    monkeypatch.setattr(hub, "reply", lambda call, _: Plain(b"", 302, headers=(("Location", call.path),)))
    assert "without end" in (await failure_of(hub, folder)).detail


async def test_a_model_of_several_parts_is_fetched_whole(hub, folder, repositories):
    parts = {f"Q4_K_M/big-Q4_K_M-0000{n}-of-00003.gguf": HEAD + bytes([n]) * 1000 for n in (1, 2, 3)}
    repositories["owner/big"] = parts
    hub.files.inject(
        Fault.cut_mid_stream(abrupt=False), path="/owner/big/Q4_K_M/big-Q4_K_M-00002-of-00003.gguf"
    )
    await failure_of(hub, folder, "hf.co/owner/big")
    steps = await steps_of(hub, folder, "hf.co/owner/big")
    assert files_in(folder / "owner/big") == sorted(parts)
    assert [step.file for step in steps if step.step == "verifying"] == [
        "big-Q4_K_M-00002-of-00003.gguf",
        "big-Q4_K_M-00003-of-00003.gguf",
    ]


async def test_a_model_that_lacks_a_part_is_not_begun(hub, folder, repositories):
    repositories["owner/big"] = {"big-00001-of-00002.gguf": HEAD}
    failure = await failure_of(hub, folder, "hf.co/owner/big")
    assert "lacks big-00002-of-00002.gguf" in failure.detail
    assert not hub.files.calls


async def test_a_path_that_leads_out_of_the_folder_is_not_taken(hub, folder, repositories):
    repositories["owner/evil"] = {
        "../../../evil-Q4_K_M.gguf": HEAD,
        "a/../../b.gguf": HEAD,
        "/etc/c.gguf": HEAD,
    }
    assert "has no GGUF file" in (await failure_of(hub, folder, "hf.co/owner/evil")).detail


async def test_two_pulls_of_one_file_do_not_write_into_each_other(hub, folder):
    hub.files.inject(Fault.stall_mid_stream())
    async with contextlib.aclosing(pull(NAME, folder, Hub(url=hub.url))) as first:
        async for step in first:
            if isinstance(step, Progress) and step.completed:
                break
        failure = await failure_of(hub, folder)
    assert "is being downloaded by another process" in failure.detail
    assert failure.hint == "wait for that one"


def test_the_environment_names_the_hub_and_the_token(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert hub_from_environment() == Hub(url="https://huggingface.co", token=None)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert hub_from_environment() == Hub(url="https://mirror.example", token="hf_x")
