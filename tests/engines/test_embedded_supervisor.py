"""The child process with the real llama.cpp in it: how it serves, dies, comes back and ends."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from headgate.engines.connection import Clocks
from headgate.engines.llamacpp.orders import Backoff, Broken, Loaded, Order, describe_exit
from headgate.engines.llamacpp.shipped import shipped_folder
from headgate.engines.llamacpp.supervisor import CHILD, Supervisor
from headgate.engines.transport import HttpTransport

pytest.importorskip("xllamacpp")

QUICK = Backoff(first=0.01, most=0.02)
NANO = str(shipped_folder() / "headgate-nano.gguf")
CLOCKS = Clocks(connect=5, first_byte=20, between_bytes=20, total=30)

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="looks into /proc or waits for a stranger's process"
)


def order(model="nano", path=NANO, **more):
    return Order(model=model, path=path, **more)


@pytest.fixture
async def supervise():
    """Make supervisors that are stopped in the end."""
    made = []

    def make(*orders, **settings):
        made.append(Supervisor(orders, **{"backoff": QUICK} | settings))
        return made[-1]

    yield make
    for supervisor in made:
        await supervisor.stop()


def scripted(code):
    """A child that does as it is told, without llama.cpp."""
    return (sys.executable, "-c", "import json, os, sys, time\n" + textwrap.dedent(code))


async def ask(url, key, words="echo: hello"):
    """Ask a server as any client would: status and JSON body."""
    headers = [("authorization", f"Bearer {key}")] if key else []
    body = json.dumps({"messages": [{"role": "user", "content": words}], "max_tokens": 4}).encode()
    transport = HttpTransport(url)
    try:
        response = await transport.request(
            "POST", "/v1/chat/completions", headers=headers, body=body, clocks=CLOCKS
        )
    finally:
        await transport.close()
    return response.status, json.loads(response.body)


def read(path):
    return Path(path).read_bytes()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_model_answers_over_http_to_who_has_the_key_and_to_nobody_else(supervise):
    supervisor = supervise(order())
    status = await supervisor.start()
    assert status.state == "up"
    url = status.models["nano"].url
    assert url.startswith("http://127.0.0.1:")
    code, answer = await ask(url, supervisor.key)
    assert code == 200
    assert answer["model"] == "nano"
    assert answer["usage"]["completion_tokens"] > 0
    assert (await ask(url, None))[0] == 401
    assert (await ask(url, "wrong"))[0] == 401


@linux_only
async def test_the_key_is_on_no_command_line_and_in_no_environment(supervise):
    supervisor = supervise(order())
    status = await supervisor.start()
    for place in ("cmdline", "environ"):
        assert supervisor.key.encode() not in read(f"/proc/{status.pid}/{place}")
    assert not any(supervisor.key in line for line in supervisor.log)


async def test_two_models_live_in_one_process_and_answer_under_their_own_names(supervise):
    supervisor = supervise(order("one"), order("two", slots=2))
    status = await supervisor.start()
    for name in ("one", "two"):
        code, answer = await ask(status.models[name].url, supervisor.key)
        assert (code, answer["model"]) == (200, name)


async def test_context_is_per_slot(supervise):
    supervisor = supervise(order(context=256, slots=3))
    status = await supervisor.start()
    code, answer = await ask(status.models["nano"].url, supervisor.key, "word " * 500)
    assert code == 400
    assert answer["error"]["type"] == "exceed_context_size_error"
    assert answer["error"]["n_ctx"] == 256


@pytest.mark.parametrize(
    "fatal", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV], ids=lambda number: number.name
)
async def test_a_killed_child_comes_back_with_the_same_key_and_a_new_process(supervise, fatal):
    supervisor = supervise(order())
    first = await supervisor.start()
    os.kill(first.pid, fatal)
    waiting = await supervisor.wait_until(lambda status: status.state == "waiting")
    assert waiting.models == {}
    assert waiting.last_exit == f"killed by {fatal.name}"
    again = await supervisor.wait_until(lambda status: status.state == "up")
    assert again.restarts == 1
    assert again.pid != first.pid
    assert (await ask(again.models["nano"].url, supervisor.key))[0] == 200


async def test_files_that_cannot_be_loaded_are_named_with_the_reason_and_the_others_serve(
    supervise, tmp_path
):
    (tmp_path / "text.gguf").write_text("This is no model.")
    whole = read(NANO)
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    supervisor = supervise(
        order("text", str(tmp_path / "text.gguf")),
        order("cut", str(tmp_path / "cut.gguf")),
        order("gone", str(tmp_path / "gone.gguf")),
        order("nano"),
    )
    status = await supervisor.start()
    assert status.state == "up"
    assert "corrupted or incomplete" in status.models["cut"].why
    assert "failed to load" in status.models["text"].why
    assert "failed to load" in status.models["gone"].why
    assert (await ask(status.models["nano"].url, supervisor.key))[0] == 200


@pytest.mark.parametrize("polite", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_to_the_whole_group_is_left_to_the_gate(supervise, polite):
    supervisor = supervise(order())
    status = await supervisor.start()
    os.kill(status.pid, polite)
    assert (await ask(status.models["nano"].url, supervisor.key))[0] == 200
    assert supervisor.status.pid == status.pid


async def test_stop_leaves_no_process_and_may_be_called_twice(supervise):
    supervisor = supervise(order())
    pid = (await supervisor.start()).pid
    await supervisor.stop()
    assert is_gone(pid)
    assert supervisor.status.state == "stopped"
    assert supervisor.status.models == {}
    await supervisor.stop()


async def test_stop_during_a_start_leaves_no_process(supervise):
    supervisor = supervise(order(), command=scripted("sys.stdin.read()"))
    starting = asyncio.create_task(supervisor.start())
    status = await supervisor.wait_until(lambda status: status.pid is not None)
    await supervisor.stop()
    assert (await starting).state == "stopped"
    assert is_gone(status.pid)


async def test_stop_kills_a_child_that_does_not_listen(supervise):
    deaf = scripted("""
        print(json.dumps({"model": "nano", "url": "http://127.0.0.1:1", "seconds": 0}), flush=True)
        print('{"ready": true}', flush=True)
        while True: time.sleep(60)
    """)
    supervisor = supervise(order(), command=deaf)
    pid = (await supervisor.start()).pid
    await supervisor.stop(grace=0.01)
    assert is_gone(pid)


async def test_stop_kills_a_child_that_never_stops_talking(supervise):
    chatty = scripted("""
        print(json.dumps({"model": "nano", "url": "http://127.0.0.1:1", "seconds": 0}), flush=True)
        print('{"ready": true}', flush=True)
        while True: print("x" * 1000); print("x" * 1000, file=sys.stderr)
    """)
    supervisor = supervise(order(), command=chatty)
    pid = (await supervisor.start()).pid
    await supervisor.stop(grace=0.01)
    assert is_gone(pid)


async def test_a_file_that_kills_llama_cpp_twice_is_left_out_and_the_others_serve(supervise):
    fragile = scripted("""
        for wanted in json.loads(sys.stdin.readline())["models"]:
            print(json.dumps({"model": wanted["model"], "loading": True}), flush=True)
            if wanted["model"] == "poison":
                os.abort()
            print(json.dumps({"model": wanted["model"], "url": "http://127.0.0.1:1", "seconds": 0}), flush=True)
        print('{"ready": true}', flush=True)
        sys.stdin.read()
    """)
    supervisor = supervise(order("poison"), order("good"), command=fragile)
    await supervisor.start()
    status = await supervisor.wait_until(lambda status: status.state == "up")
    assert status.restarts == 2
    assert "left out" in status.models["poison"].why
    assert isinstance(status.models["good"], Loaded)
    assert status.last_exit == "killed by SIGABRT while loading poison"


async def test_only_poison_leaves_an_engine_that_is_up_and_says_why(supervise):
    supervisor = supervise(
        order("poison"),
        command=scripted("""
            if json.loads(sys.stdin.readline())["models"]:
                print(json.dumps({"model": "poison", "loading": True}), flush=True)
                os.abort()
            print('{"ready": true}', flush=True)
            sys.stdin.read()
        """),
    )
    await supervisor.start()
    status = await supervisor.wait_until(lambda status: status.state == "up")
    assert isinstance(status.models["poison"], Broken)


OBEDIENT = """
    def load(wanted):
        print(json.dumps({"model": wanted["model"], "loading": True}), flush=True)
        if wanted["path"] == "poison":
            os.abort()
        if wanted["path"] == "never":
            return
        if wanted["path"] == "broken":
            print(json.dumps({"model": wanted["model"], "error": "it is broken"}), flush=True)
            return
        url = f"http://127.0.0.1:1/{wanted['model']}/{wanted['context']}"
        print(json.dumps({"model": wanted["model"], "url": url, "seconds": 0, "memory": 7}), flush=True)

    for wanted in json.loads(sys.stdin.readline())["models"]:
        load(wanted)
    print('{"ready": true}', flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "load" in order:
            load(order["load"])
        elif order["unload"] != "clinging":
            print(json.dumps({"model": order["unload"], "unloaded": True}), flush=True)
"""


async def test_a_load_that_kills_the_child_is_told_and_the_others_are_back(supervise):
    supervisor = supervise(order("good"), command=scripted(OBEDIENT))
    await supervisor.start()
    poison = order("poison", "poison")
    why = "the embedded engine broke off (killed by SIGABRT while loading poison)"
    for times in (1, 2):
        assert await supervisor.load(poison) == Broken(why)
        status = await supervisor.wait_until(
            lambda status, times=times: status.restarts == times and status.state == "up"
        )
        assert list(status.models) == ["good"]
    found = await supervisor.load(poison)
    assert "left out" in found.why
    assert supervisor.status.restarts == 2
    assert isinstance(await supervisor.load(order("poison", "poison", context=7)), Broken)
    await supervisor.wait_until(lambda status: status.restarts == 3)  # another context is another try


async def test_a_failed_load_brings_back_what_was_there(supervise):
    supervisor = supervise(order("one", context=5), command=scripted(OBEDIENT))
    await supervisor.start()
    assert await supervisor.load(order("one", "broken")) == Broken("it is broken")
    assert supervisor.find("one").url.endswith("/one/5")


async def test_a_load_that_is_given_up_brings_back_what_was_there(supervise):
    supervisor = supervise(order("one", context=5), command=scripted(OBEDIENT))
    await supervisor.start()
    loading = asyncio.create_task(supervisor.load(order("one", context=6)))
    await supervisor.wait_until(lambda status: "one" not in status.models)
    loading.cancel()
    status = await supervisor.wait_until(lambda status: "one" in status.models)
    assert status.models["one"].url.endswith("/one/5")


async def test_loads_of_one_model_follow_each_other_and_the_last_one_stands(supervise):
    supervisor = supervise(command=scripted(OBEDIENT))
    await supervisor.start()
    found = await asyncio.gather(*(supervisor.load(order("one", context=size)) for size in (1, 2, 3)))
    assert [loaded.order.context for loaded in found] == [1, 2, 3]
    assert supervisor.find("one") == found[-1]


async def test_what_was_unloaded_is_not_loaded_again_by_a_new_process(supervise):
    supervisor = supervise(order("one"), order("two"), command=scripted(OBEDIENT))
    await supervisor.start()
    await supervisor.load(order("three"))
    await supervisor.unload("two")
    os.kill(supervisor.status.pid, signal.SIGKILL)
    status = await supervisor.wait_until(lambda status: status.restarts == 1 and status.state == "up")
    assert sorted(status.models) == ["one", "three"]


async def test_who_is_loaded_or_unloaded_while_the_child_is_down_is_so_when_it_is_back(supervise):
    supervisor = supervise(order("one"), order("two"), command=scripted(OBEDIENT))
    await supervisor.start()
    os.kill(supervisor.status.pid, signal.SIGKILL)
    await supervisor.wait_until(lambda status: status.state == "waiting")
    await supervisor.unload("two")
    assert isinstance(await supervisor.load(order("three")), Loaded)
    assert sorted(supervisor.status.models) == ["one", "three"]


async def test_a_model_that_cannot_be_unloaded_costs_the_process_and_is_gone(supervise):
    supervisor = supervise(order("one"), order("clinging"), ready_within=1.0, command=scripted(OBEDIENT))
    await supervisor.start()
    await supervisor.unload("clinging")
    status = await supervisor.wait_until(lambda status: status.restarts == 1 and status.state == "up")
    assert list(status.models) == ["one"]
    assert any("clinging was not unloaded" in line for line in supervisor.log)


async def test_every_server_that_goes_is_told_before_it_is_gone(supervise):
    gone = []
    supervisor = supervise(order("one"), order("two"), command=scripted(OBEDIENT), on_gone=gone.append)
    await supervisor.start()
    await supervisor.unload("one")
    await supervisor.load(order("two", context=9))
    await supervisor.stop()
    assert [url.removeprefix("http://127.0.0.1:1/") for url in gone] == ["one/1024", "two/1024", "two/9"]


async def test_nobody_waits_for_a_load_after_the_child_was_stopped(supervise):
    supervisor = supervise(order("one"), command=scripted(OBEDIENT))
    await supervisor.start()
    loading = asyncio.create_task(supervisor.load(order("one", "never")))
    await supervisor.wait_until(lambda status: not status.models)
    await supervisor.stop()
    assert await loading == Broken("the embedded engine was stopped")
    assert await supervisor.load(order("two")) == Broken("the embedded engine was stopped")
    await supervisor.unload("two")


async def test_an_installation_that_cannot_work_is_not_tried_again(supervise):
    supervisor = supervise(
        order(),
        command=scripted("""print(json.dumps({"fatal": "xllamacpp cannot be imported"}), flush=True)"""),
    )
    status = await supervisor.start()
    assert status.state == "failed"
    assert status.last_exit == "xllamacpp cannot be imported"
    await supervisor.wait_until(lambda status: status.pid is None)
    assert supervisor.status.state == "failed"


async def test_a_child_that_is_never_ready_is_killed(supervise):
    supervisor = supervise(order(), ready_within=0.05, command=scripted("sys.stdin.read()"))
    status = await supervisor.start()
    assert status.state == "waiting"
    assert status.last_exit == "killed by SIGKILL"
    assert any("not ready after" in line for line in supervisor.log)


async def test_a_program_that_is_not_there_is_a_state_and_not_a_crash(supervise):
    supervisor = supervise(order(), command=("/nowhere/python",))
    status = await supervisor.start()
    assert status.state == "waiting"
    assert "could not be started" in status.last_exit


async def test_the_log_is_kept_short_in_memory_and_whole_in_a_file(supervise, tmp_path):
    chatty = scripted("""
        for number in range(5000):
            print("line", number, "\\xff", file=sys.stderr)
        sys.stderr.write("last words")
        print("not JSON", flush=True)
        os._exit(3)
    """)
    supervisor = supervise(order(), command=chatty, log_to=tmp_path / "engine.log")
    status = await supervisor.start()
    assert status.last_exit == "ended with exit code 3"
    assert len(supervisor.log) == 200
    assert "last words" in supervisor.log
    assert (tmp_path / "engine.log").read_bytes().count(b"\n") >= 5000


async def test_a_log_file_that_cannot_be_written_does_not_keep_the_engine_from_serving(supervise, tmp_path):
    supervisor = supervise(order(), log_to=tmp_path / "no such folder" / "engine.log")
    assert (await supervisor.start()).state == "up"
    assert any("no log in" in line for line in supervisor.log)


async def test_nobody_waits_for_a_supervisor_that_broke(supervise):
    supervisor = supervise(order(), command=scripted("""print(" " * 2**20, flush=True)"""))
    assert (await supervisor.start()).state == "failed"


GATE = """
import asyncio, sys
from headgate.engines.llamacpp.supervisor import Order, Supervisor

async def main():
    status = await Supervisor([Order(model="nano", path=sys.argv[1])]).start()
    print(status.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@linux_only
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name
)
def test_the_child_dies_with_the_gate_however_that_dies(how):
    with subprocess.Popen([sys.executable, "-c", GATE, NANO], stdout=-1, stderr=-3) as gate:
        child = os.pidfd_open(int(gate.stdout.readline()))
        gate.send_signal(how)
    assert wait_for_end(child)


@linux_only
def test_the_child_dies_with_the_gate_even_while_somebody_else_holds_its_stdin_open():
    ours, theirs = os.pipe()
    gate = "import os, subprocess, sys; child = subprocess.Popen(sys.argv[1:], stdout=-1); print(child.pid); "
    gate += "child.stdout.readline(); os._exit(0)"
    os.write(theirs, b'{"key": "k", "models": [{"model": "none"}]}\n')
    with subprocess.Popen([sys.executable, "-uc", gate, *CHILD], stdin=ours, stdout=-1, stderr=-3) as process:
        child = os.pidfd_open(int(process.stdout.readline()))
    try:
        assert wait_for_end(child)
    finally:
        os.close(ours)
        os.close(theirs)


def wait_for_end(pidfd):
    """Whether a process that is no child of ours has ended; waits up to ten seconds."""
    try:
        return bool(select.select([pidfd], [], [], 10)[0])
    finally:
        os.close(pidfd)


def test_waits_double_up_to_a_limit_and_start_anew_after_a_minute_of_health():
    backoff = Backoff()
    waits = [backoff.after(None, 0)]
    for _ in range(8):
        waits.append(backoff.after(waits[-1], served=59))
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(30, served=60) == 0.25


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
        (3, "ended with exit code 3"),
        (0xC0000005, "ended with exit code 0xc0000005"),
    ],
)
def test_an_exit_is_told_in_words(code, words):
    assert describe_exit(code) == words
