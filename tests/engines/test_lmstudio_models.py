"""LM Studio's models: by REST against its double, by `lms` against a scripted command, and against odd servers."""

import asyncio
import sys

import msgspec
import pytest
from adapter_doubles import engine_and_double, settings_for
from scripted_transport import ScriptedTransport

from headgate.core.engine import ManagedEngine, Progress
from headgate.core.types import Failure
from headgate.engines import downloads, lms, lmstudio_models
from headgate.engines.lms import Lms, Ran, run_lms
from headgate.engines.lmstudio import LMStudio
from headgate.testing import Fault, LMStudioDouble, ServedModel
from headgate.testing.downloads import PullTrouble
from headgate.testing.programs import write_lms

PHI = "phi-3-mini-128k-instruct"
UNEXPECTED = {"error": "Unexpected endpoint or method."}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(lmstudio_models, "LOOK_AGAIN", 0.0)


class Command:
    """`lms` as a script: what it is told, and what it says to the first word."""

    def __init__(self, **says):
        self.told = []
        self.says = says

    async def __call__(self, arguments, within):
        self.told.append(list(arguments))
        said = self.says.get(arguments[0], "")
        return said if isinstance(said, Failure | Ran) else Ran(0, msgspec.json.encode(said).decode())


def pretender(respond, command=None):
    settings = settings_for("lmstudio", "http://127.0.0.1:1")
    return LMStudio(settings, ScriptedTransport(respond), Lms(command) if command else None)


async def pulled(engine, model_id="openai/gpt-oss-20b"):
    return [report async for report in engine.pull(model_id)]


def older(command=None, state="loaded", context=4096):
    """LM Studio 0.3: it has no `/api/v1`."""

    def respond(_method, path, _body):
        if path == "/api/v0/models":
            model = {"id": PHI, "state": state, "max_context_length": 131_072}
            return {"data": [model | ({"loaded_context_length": context} if state == "loaded" else {})]}
        return UNEXPECTED

    return pretender(respond, command)


# ── REST ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_model_is_loaded_with_the_asked_context_and_unloaded():
    double = LMStudioDouble({PHI: ServedModel(context=131_072)})
    async with engine_and_double("lmstudio", double=double) as (engine, _):
        assert isinstance(engine, ManagedEngine)
        loaded = await engine.load(PHI, 8192, parallel=None, within=5)
        assert (loaded.id, loaded.context, loaded.memory) == (PHI, 8192, None)
        assert await engine.loaded() == (loaded,)
        assert await engine.unload(PHI) is None
        assert await engine.loaded() == ()
        assert await engine.unload(PHI) is None


async def test_another_context_takes_the_place_of_the_old_copy_and_the_same_stays():
    double = LMStudioDouble({PHI: ServedModel(context=131_072)})
    async with engine_and_double("lmstudio", double=double) as (engine, _):
        for context in (4096, 4096, 16_384):
            loaded = await engine.load(PHI, context, parallel=None, within=5)
            assert loaded.context == context
        assert len(await engine.loaded()) == 1
    assert len([call for call in double.calls if call.path == "/api/v1/models/load"]) == 2


async def test_unknown_models_are_said_to_be_missing():
    async with engine_and_double("lmstudio") as (engine, _):
        found = [
            await engine.load("nope", None, parallel=None, within=5),
            await engine.shape("nope"),
            await engine.remove("nope"),
        ]
    for failure in found:
        assert failure.detail == "LM Studio has no nope"
        assert failure.hint == "headgate models pull nope --engine my-lmstudio"


async def test_an_engine_that_is_down_is_refused_by_every_verb():
    async with engine_and_double("lmstudio") as (engine, double):
        double.inject(Fault.refuse())
        found = [
            await engine.loaded(),
            await engine.load(PHI, None, parallel=None, within=5),
            await engine.unload(PHI),
            await engine.remove(PHI),
            await engine.shape(PHI),
            *await pulled(engine),
        ]
    assert [failure.reason for failure in found] == ["refused"] * 6


async def test_what_lm_studio_cannot_do_is_said_with_another_way():
    async with engine_and_double("lmstudio") as (engine, _):
        removed, shape = await engine.remove(PHI), await engine.shape(PHI)
    assert "lets no other program delete" in removed.detail
    assert "My Models" in removed.hint
    assert "lms load --estimate-only phi-3" in shape.hint
    command = Command(ls=[{"modelKey": PHI, "path": "microsoft/phi/phi.gguf", "sizeBytes": 1}])
    where = await older(command).remove(PHI)
    assert "microsoft/phi/phi.gguf" in where.hint


def listed(*instances):
    return {"models": [{"key": PHI, "loaded_instances": list(instances), "max_context_length": 131_072}]}


@pytest.mark.parametrize(
    "words",
    [
        'Failed to load model "phi". Error: Model loading was stopped due to insufficient system resources.',
        "Under the current settings, this model requires approximately 49.3 GB of memory",
    ],
)
async def test_a_refusal_for_want_of_memory_says_what_to_do(words):
    def respond(method, _path, _body):
        return listed() if method == "GET" else (500, {"error": {"type": "internal_error", "message": words}})

    failure = await pretender(respond).load(PHI, 131_072, parallel=None, within=1)
    assert failure.detail.startswith(f"there is not enough memory for {PHI}")
    assert words[-30:] in failure.detail
    assert "smaller --context" in failure.hint


async def test_a_load_that_did_not_take_effect_says_what_was_found():
    loaded = {"instance_id": PHI, "status": "loaded"}
    nothing = pretender(lambda method, *_: listed() if method == "GET" else loaded)
    failure = await nothing.load(PHI, 8192, parallel=None, within=1)
    assert "its list has no copy of it in memory" in failure.detail

    copies = []

    def respond(method, path, _body):
        if path.endswith("/load"):
            copies.append({"id": PHI, "config": {"context_length": 4096, "parallel": 4}})
        return listed(*copies) if method == "GET" else loaded

    failure = await pretender(respond).load(PHI, 8192, parallel=None, within=1)
    assert "a context of 4,096 tokens instead of 8,192" in failure.detail
    copies.clear()

    class Deaf(Command):
        async def __call__(self, arguments, within):
            copies.append({"id": PHI, "config": {"context_length": 4096, "parallel": 4}})
            return Ran(0, "")

    failure = await pretender(respond, Deaf()).load(PHI, 4096, parallel=8, within=1)
    assert "for 4 requests at a time instead of 8" in failure.detail
    assert failure.hint.endswith(f"lms load {PHI} --parallel 8")


async def test_every_copy_is_unloaded_and_one_that_stays_is_a_failure():
    copies = [{"id": PHI}, {"id": f"{PHI}:2"}]

    def respond(method, _path, body):
        if method == "POST":
            copies[:] = [copy for copy in copies if copy["id"] != body["instance_id"]]
            return body
        return listed(*copies)

    engine = pretender(respond)
    assert [copy.instance for copy in await engine.loaded()] == [PHI, f"{PHI}:2"]
    assert await engine.unload(PHI) is None
    assert copies == []
    stubborn = pretender(lambda method, _path, body: listed({"id": PHI}) if method == "GET" else body)
    assert "its list still has it as loaded" in (await stubborn.unload(PHI)).detail


@pytest.mark.parametrize("body", [b"{}", b"<html>hello</html>", msgspec.json.encode(UNEXPECTED), b"[1]"])
async def test_a_server_that_says_yes_to_everything_is_no_lm_studio(body):
    engine = pretender(lambda *_: body)
    found = [
        await engine.list_models(),
        await engine.loaded(),
        await engine.load(PHI, None, parallel=None, within=1),
        await engine.unload(PHI),
        await engine.remove(PHI),
        *await pulled(engine),
    ]
    assert len(found) >= 6
    assert all(isinstance(one, Failure) for one in found if not isinstance(one, Progress))
    assert isinstance(found[-1], Failure)


async def test_the_doubles_own_refusals_and_deafness_are_found_out():
    model = {PHI: ServedModel(context=131_072, size=2_400_000_000, kv_heads=32, key_length=96)}
    async with engine_and_double("lmstudio", double=LMStudioDouble(model, memory=8 * 10**9)) as (engine, _):
        failure = await engine.load(PHI, 131_072, parallel=None, within=5)
    assert failure.detail.startswith(f"there is not enough memory for {PHI}")
    deaf = LMStudioDouble(model, ignores_load_settings=True, default_context=4096)
    async with engine_and_double("lmstudio", double=deaf) as (engine, _):
        failure = await engine.load(PHI, 8192, parallel=None, within=5)
    assert "a context of 4,096 tokens instead of 8,192" in failure.detail


# ── downloads ────────────────────────────────────────────────────────────────────────────────────────────────────────


def downloading(*jobs):
    """A server whose download is as the jobs say, one after the other; the last one stays."""
    left = list(jobs)

    def respond(_method, path, _body):
        if path == "/api/v1/models":
            return listed()
        return {"job_id": "job/1"} | (left.pop(0) if len(left) > 1 else left[0])

    return pretender(respond)


async def test_a_download_is_followed_to_its_end():
    size = {"total_size_bytes": 1000}
    engine = downloading(
        {"status": "downloading"} | size,
        {"status": "downloading", "downloaded_bytes": 400, "bytes_per_second": 9} | size,
        {"status": "completed", "downloaded_bytes": 1000} | size,
    )
    reports = await pulled(engine, "openai/gpt-oss-20b@q4_k_m")
    assert [(report.step, report.completed, report.total) for report in reports] == [
        ("downloading", None, 1000),
        ("downloading", 400, 1000),
        ("completed", 1000, 1000),
    ]
    asked = engine._exchange._transport.asked
    assert asked[0][2] == {"model": "openai/gpt-oss-20b", "quantization": "q4_k_m"}
    assert asked[1][1] == "/api/v1/models/download/status/job%2F1"


def with_library(**more):
    return LMStudioDouble({}, library={"openai/gpt-oss-20b": ServedModel(size=12 * 10**9)}, **more)


async def test_a_download_of_the_double_ends_with_a_model_that_is_there():
    async with engine_and_double("lmstudio", double=with_library()) as (engine, double):
        *_, last = await pulled(engine)
        assert (last.completed, last.total) == (12 * 10**9, 12 * 10**9)
        assert [model.id for model in await engine.list_models()] == ["openai/gpt-oss-20b"]
        double.models.clear()
        double.break_download("openai/gpt-oss-20b", PullTrouble.CUT)
        *_, failure = await pulled(engine)
        assert isinstance(failure, Failure)
        again = await pulled(engine)
    assert next(report.completed for report in again if report.completed) >= 6 * 10**9
    assert again[-1].completed == 12 * 10**9


async def test_a_download_of_the_double_that_stalls_is_noticed(monkeypatch):
    monkeypatch.setattr(downloads, "STALL", 0.05)
    async with engine_and_double("lmstudio", double=with_library()) as (engine, double):
        double.break_download("openai/gpt-oss-20b", PullTrouble.STALL)
        *_, failure = await pulled(engine)
        assert "stalled" in failure.detail
        *_, unknown = await pulled(engine, "nobody/nothing")
    assert isinstance(unknown, Failure)


async def test_a_model_that_is_there_is_not_downloaded_again():
    (report,) = await pulled(downloading({"status": "already_downloaded", "job_id": None}))
    assert report.step == "already_downloaded"


async def test_a_failed_download_says_so():
    *_, failure = await pulled(downloading({"status": "downloading"}, {"status": "failed"}))
    assert "the download of openai/gpt-oss-20b failed" in failure.detail
    assert "Downloads" in failure.hint


@pytest.mark.parametrize("status", ["downloading", "paused"])
async def test_a_download_without_new_bytes_is_a_stall(monkeypatch, status):
    monkeypatch.setattr(downloads, "STALL", 0.05)
    async with asyncio.timeout(30):
        *_, failure = await pulled(downloading({"status": status, "downloaded_bytes": 7}))
    assert failure.reason == "timeout"
    assert "stalled" in failure.detail


async def test_a_name_that_is_in_no_catalogue_is_said():
    def respond(method, _path, _body):
        error = {"type": "model_not_found", "message": "Model nope not found in the catalog"}
        return listed() if method == "GET" else (404, {"error": error})

    *_, failure = await pulled(pretender(respond), "nope")
    assert failure.detail.startswith("LM Studio finds no nope to fetch")


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_older_lm_studio_is_told_by_its_command():
    command = Command()
    loaded = await older(command).load(PHI, 4096, parallel=None, within=5)
    assert (loaded.context, command.told) == (4096, [])  # it had it so already
    failure = await older(command).load(PHI, 8192, parallel=None, within=5)
    assert command.told[0] == ["unload", PHI]
    assert isinstance(failure, Failure)  # the script unloads nothing
    command.told.clear()
    await older(command, state="not-loaded").load(PHI, 8192, parallel=None, within=5)
    assert command.told == [["load", PHI, "-y", "--context-length", "8192"]]
    command.told.clear()
    assert [report.step for report in await pulled(older(command))] == ["downloading with lms"]
    assert command.told == [["get", "openai/gpt-oss-20b", "-y"]]


async def test_how_many_requests_at_a_time_only_the_command_can_set():
    copies = []

    def respond(_method, _path, _body):
        return listed(*copies)

    class Loads(Command):
        async def __call__(self, arguments, within):
            copies.append({"id": PHI, "config": {"context_length": 8192, "parallel": 8}})
            return await super().__call__(arguments, within)

    command = Loads()
    loaded = await pretender(respond, command).load(PHI, 8192, parallel=8, within=5)
    assert (loaded.context, loaded.parallel) == (8192, 8)
    assert command.told == [["load", PHI, "-y", "--context-length", "8192", "--parallel", "8"]]


async def test_the_program_lms_sets_how_many_requests_at_a_time(monkeypatch, tmp_path):
    double = LMStudioDouble({PHI: ServedModel(context=131_072)}, parallel=4)
    async with engine_and_double("lmstudio", double=double) as (engine, _):
        program = write_lms(tmp_path, url=double.url)
        monkeypatch.setattr(lms, "find_lms", lambda: str(program.path))
        loaded = await engine.load(PHI, 8192, parallel=8, within=30)
        where = await engine.remove(PHI)
    assert (loaded.context, loaded.parallel) == (8192, 8)
    wanted = ("load", PHI, "-y", "--context-length", "8192", "--parallel", "8")
    assert [call.arguments for call in program.calls()] == [wanted, ("ls", "--json")]
    assert "in its models folder" in where.hint


async def test_where_the_command_is_missing_rest_does_it_and_says_how_many_at_a_time(monkeypatch):
    monkeypatch.setattr(lms, "find_lms", lambda: None)
    double = LMStudioDouble({PHI: ServedModel(context=131_072)}, parallel=4)
    async with engine_and_double("lmstudio", double=double) as (engine, _):
        loaded = await engine.load(PHI, 8192, parallel=8, within=5)
    assert (loaded.context, loaded.parallel) == (8192, 4)


async def test_without_a_command_an_older_lm_studio_has_to_be_told_by_hand():
    for failure in (
        await older(state="not-loaded").load(PHI, 8192, parallel=None, within=5),
        await older().unload(PHI),
        (await pulled(older()))[-1],
    ):
        assert "older than 0.4" in failure.detail
        assert "update LM Studio" in failure.hint


def oldest(_method, path, _body):
    """LM Studio before 0.3: a plain list of names is all that it has."""
    return {"data": [{"id": PHI}]} if path == "/v1/models" else UNEXPECTED


async def test_the_oldest_lists_what_is_loaded_by_the_command_only():
    row = {"identifier": "mine", "modelKey": PHI, "contextLength": 4096, "parallel": 2, "status": "idle"}
    (loaded,) = await pretender(oldest, Command(ps=[row])).loaded()
    assert (loaded.id, loaded.instance, loaded.context, loaded.parallel) == (PHI, "mine", 4096, 2)
    odd = await pretender(oldest, Command(ps={"a": 1})).loaded()
    assert "another shape" in odd.detail


async def test_what_answers_everything_is_no_lm_studio_and_the_command_is_not_asked_in_its_place():
    stranger = pretender(lambda *_: {"ok": True}, Command(ps=[{"identifier": "mine", "modelKey": PHI}]))
    assert (await stranger.health()).detail == "something answers there, but it is not LM Studio"
    assert isinstance(await stranger.loaded(), Failure)


async def test_what_the_command_says_when_it_fails_is_passed_on():
    command = Command(get=Ran(1, "\x1b[2KSearching\n\nNo space left on device\n"))
    *_, failure = await pulled(older(command))
    assert failure.detail == "the disk is full: lms get: No space left on device"


@pytest.fixture
def installed(monkeypatch):
    """A program in the place of `lms`: this Python."""
    monkeypatch.setattr(lms, "find_lms", lambda: sys.executable)


async def test_the_installed_command_is_run_without_a_terminal(installed):
    ran = await run_lms(["-c", "import sys; print(sys.stdin.read() + 'ö'); sys.exit(3)"], 30)
    assert (ran.code, ran.out.strip()) == (3, "ö")


async def test_a_command_that_does_not_end_is_ended(installed):
    failure = await run_lms(["-c", "import time; time.sleep(60)"], 0.1)
    assert failure.reason == "timeout"


async def test_a_machine_without_the_command_says_where_it_comes_from(monkeypatch):
    monkeypatch.setattr(lms, "find_lms", lambda: None)
    failure = await run_lms(["ls"], 5)
    assert failure.reason == "refused"
    assert "lms bootstrap" in failure.hint
