"""`headgate doctor` as a person runs it: over programs, sockets and APIs that are doubles, well and broken."""

import json
import os
import pty
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest
from click.testing import CliRunner
from doctor_desk import SCREENS, Desk, desk_of

from headgate.cli.doctor import command
from headgate.cli.main import command as root
from headgate.core.cards import Card
from headgate.ledger.cards import save_card
from headgate.testing import Answer, Fault, OllamaDouble, ServedModel
from headgate.testing.answers import count_prompt

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what the doubles show needs /proc")

VLLM = """
[engines.vllm]
kind = "openai_compatible"
url = "http://127.0.0.1:{port}/v1"

[engines.vllm.headers]
x-team = "blue"
"""
FIELDS = {"name", "check", "about", "state", "found", "required", "fix", "seconds"}


@pytest.fixture
def desk(shell: Any, tmp_path: Path) -> Iterator[Desk]:
    with desk_of(shell, tmp_path / "bin") as made:
        yield made


@contextmanager
def ollama_at(desk: Desk, **setup: Any) -> Iterator[OllamaDouble]:
    """Ollama as somebody started it by hand: with other settings than the config wants."""
    with OllamaDouble(port=desk.ollama, **setup).in_thread() as double:
        yield double


class Stranger(BaseHTTPRequestHandler):
    """A program that answers 200 to everything, with a clock of its own."""

    ahead = 0.0

    def do_GET(self):
        self.answer(b'{"status": "ok"}')

    def do_HEAD(self):
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + self.ahead, usegmt=True)

    def log_message(self, *args):
        pass


@contextmanager
def stranger(ahead: float = 0.0, listing: bytes = b'{"status": "ok"}') -> Iterator[int]:
    """Its port."""

    class Other(Stranger):
        def do_GET(self):
            self.answer(listing)

    Other.ahead = ahead
    server = HTTPServer(("127.0.0.1", 0), Other)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_all_is_well_on_a_machine_that_is_set_up(desk):
    desk.start_ollama()
    said = desk.shell("doctor")
    assert said.code == 0, said.out
    assert said.err == ""
    desk.same_screen("doctor-well", said.out)
    assert desk.shell("doctor", "--strict").code == 0


def test_every_check_has_a_name_a_state_what_was_found_and_what_repairs_it(desk):
    said = desk.shell("doctor", "--json")
    assert said.code == 1
    told = said.json
    assert set(told) == {"ok", "failed", "warned", "seconds", "checks"}
    states = [check["state"] for check in told["checks"]]
    assert (told["failed"], told["warned"]) == (states.count("FAIL"), states.count("warn"))
    assert told["ok"] is False
    for check in told["checks"]:
        assert set(check) == FIELDS
        assert check["name"] == f"{check['check']} {check['about']}".rstrip()
        assert check["found"]
        assert bool(check["required"]) is bool(check["fix"]) is (check["state"] != "ok")
        assert 0 <= check["seconds"] < 60
    down = next(check for check in told["checks"] if check["name"] == "engine ollama")
    assert (down["state"], down["fix"]) == ("FAIL", "headgate engines start ollama")


def test_the_fix_of_an_engine_that_is_down_repairs_it(desk):
    fix = desk.doctor()["engine ollama"]["fix"]
    assert desk.shell(*fix.split()[1:], "--yes").code == 0
    assert desk.doctor()["engine ollama"]["state"] == "ok"


def test_the_fix_of_a_model_that_is_missing_names_the_command_that_fetches_it(desk):
    with ollama_at(desk, models=["llama3.1:8b"], library={"qwen2.5-coder:7b": ServedModel()}) as ollama:
        found = desk.doctor()["model coder"]
        assert (found["state"], found["fix"]) == ("FAIL", "headgate models pull coder")
        assert desk.shell(*found["fix"].split()[1:], "--yes").code == 0
        assert desk.doctor()["model coder"]["state"] == "ok"
        assert "qwen2.5-coder:7b" in ollama.models


def test_many_faults_at_once_are_each_told_with_what_repairs_them(desk):
    mixtral = ServedModel(loaded=True, revision="foreign")
    models = {
        "llama3.1:8b": ServedModel(context=131_072, loaded=True),
        "mistral:7b": mixtral,
        "gpt-oss:120b-cloud": ServedModel(remote_host="https://ollama.com"),
    }
    data = desk.shell.home / ".local/share/headgate"
    save_card(
        data / "ledger.db",
        Card(engine="ollama", id="llama3.1:8b", digest="another", machine="this", measured=time.time()),
    )
    with closing(sqlite3.connect(data / "ledger.db")) as db:
        db.execute("PRAGMA user_version = 2")
    desk.lmstudio.inject(Fault.refuse())
    desk.anthropic.inject(Fault.auth_failed(), times=None, path="/v1/models")
    with (
        ollama_at(desk, models=models, host="0.0.0.0", vram=0, version="0.11.4", num_ctx=4096),
        stranger() as other,
    ):
        desk.change(
            ("[engines.lmstudio]", f"{VLLM.format(port=other)}\n[engines.lmstudio]"),
            ("[models.claude]", '[models.big]\nengine = "vllm"\nid = "big"\n\n[models.claude]'),
            ("ram_gb = 64", "ram_gb = 64\nvram_gb = 12"),
        )
        (desk.shell.home / "headgate.toml").chmod(0o644)
        said = desk.shell("doctor")
        assert said.code == 1
        assert "Traceback" not in said.out + said.err
        text = said.out.replace(f":{other}", ":8000")
        desk.same_screen("doctor-faults", text)


def test_a_prompt_that_is_cut_in_silence_is_found_out(desk):
    with ollama_at(desk) as ollama:
        found = desk.doctor("--deep")
        assert {name: found[name]["state"] for name in ("context llama", "context coder", "load llama")} == {
            "context llama": "ok",
            "context coder": "ok",
            "load llama": "ok",
        }
        assert "read whole" in found["context llama"]["found"]
        longest = max(len(call.body) for call in ollama.calls if call.path == "/api/chat")
        assert longest > 8192 * 3
        ollama.inject(Fault.silent_truncation(), times=None)
        found = desk.doctor("--deep")
        assert found["context llama"]["state"] == "FAIL"
        assert found["context llama"]["fix"]


def test_ollamas_own_default_of_4096_tokens_is_found_out_behind_its_other_door(desk):
    native = f'kind = "ollama"\nurl = "http://127.0.0.1:{desk.ollama}"'
    other = f'kind = "openai_compatible"\nurl = "http://127.0.0.1:{desk.ollama}/v1"'
    with ollama_at(desk):
        desk.change((native, other))
        assert desk.doctor()["context llama"]["state"] == "ok"
        found = desk.doctor("--deep")["context llama"]
        assert found["state"] == "FAIL"
        assert "4096 tokens" in found["found"]
        assert "[models.llama]" in found["fix"]


def test_a_model_without_a_context_gets_a_warning_with_the_line_to_write(desk):
    with ollama_at(desk):
        desk.change(('id = "llama3.1:8b"\ncontext = 8192', 'id = "llama3.1:8b"'))
        found = desk.doctor()["context llama"]
        assert (found["state"], found["fix"]) == ("warn", "write context = 8192 under [models.llama]")


def test_more_context_than_a_model_was_trained_for_gets_a_warning(desk):
    with ollama_at(desk):
        desk.change(('id = "qwen2.5-coder:7b"\ncontext = 8192', 'id = "qwen2.5-coder:7b"\ncontext = 65536'))
        found = desk.doctor()["context coder"]
        assert (found["state"], found["fix"]) == ("warn", "write context = 32768 under [models.coder]")


def test_what_was_loaded_to_be_checked_goes_again_and_what_was_there_stays(desk):
    models = {**OllamaDouble.default_models(), "llama3.1:8b": ServedModel(context=131_072, loaded=True)}
    with ollama_at(desk, models=models) as ollama:
        found = desk.doctor("--deep")
        assert found["load coder"]["state"] == "ok"
        assert [runner.name for runner in ollama.running()] == ["llama3.1:8b"]
    assert desk.lmstudio.running() == []


def test_without_deep_no_model_is_loaded_and_no_paid_one_is_ever_asked(desk):
    with ollama_at(desk) as ollama:
        desk.doctor()
        assert ollama.loads == []
        desk.doctor("--deep")
    for double in (desk.anthropic, desk.openai):
        assert {(call.method, call.path) for call in double.calls if call.path != "/v1"} <= {
            ("GET", "/v1/models"),
            ("HEAD", "/"),
        }


def test_a_model_that_cannot_be_loaded_fails_with_why(desk):
    with ollama_at(desk) as ollama:
        ollama.inject(Fault.server_error(), times=None)
        found = desk.doctor("--deep")["load llama"]
        assert found["state"] == "FAIL"
        assert "runner has unexpectedly stopped" in found["found"]


def test_a_model_beside_the_gpu_fails_and_one_that_is_partly_there_warns(desk):
    models = {"llama3.1:8b": ServedModel(context=131_072, loaded=True)}
    desk.change(("ram_gb = 64", "ram_gb = 64\nvram_gb = 24"))
    for vram, state, word in (
        (0, "FAIL", "nothing of llama3.1:8b"),
        (3 << 30, "warn", "only "),
        (None, "ok", "all of"),
    ):
        with ollama_at(desk, models=models, vram=vram):
            found = desk.doctor()["gpu ollama"]
            assert (found["state"], word in found["found"]) == (state, True), found


def test_models_that_do_not_fit_the_card_together_are_a_warning_and_one_that_never_fits_a_failure(desk):
    with ollama_at(desk):
        desk.change(("ram_gb = 64", "ram_gb = 64\nvram_gb = 12"))
        found = desk.doctor()
        assert found["memory"]["state"] == "warn"
        assert "they take turns" in found["memory"]["found"]
        desk.change(
            ("ram_gb = 64", "ram_gb = 16"),
            (
                'id = "phi-3-mini-128k-instruct"\ncontext = 8192',
                'id = "phi-3-mini-128k-instruct"\ncontext = 131072',
            ),
        )
        found = desk.doctor()["memory phi"]
        assert found["state"] == "FAIL"
        assert "48.0 GiB" in found["found"]
        assert found["fix"] == "write context = 32768 under [models.phi]"


def test_a_key_is_judged_without_spending(desk):
    found = desk.doctor(TEST_KEY="")
    assert (found["key anthropic"]["state"], found["key anthropic"]["fix"]) == ("FAIL", "export TEST_KEY=…")
    assert "engine anthropic" not in found
    desk.anthropic.inject(Fault.auth_failed(), times=None, path="/v1/models")
    found = desk.doctor()
    assert found["key anthropic"]["state"] == "FAIL"
    assert "export TEST_KEY=…  # one that is valid" in found["key anthropic"]["fix"]
    assert found["engine anthropic"]["state"] == "ok"
    assert found["key openai"]["state"] == "ok"


def test_a_paid_engine_that_is_out_of_reach_is_not_taken_for_a_wrong_key(desk):
    desk.openai.inject(Fault.refuse())
    found = desk.doctor()
    assert found["engine openai"]["state"] == "FAIL"
    assert "key openai" not in found


def test_a_clock_that_is_wrong_by_minutes_is_a_warning(desk):
    models = b'{"data": [{"id": "gpt-4o"}]}'
    for ahead, state in ((0.0, "ok"), (600.0, "warn"), (-600.0, "warn")):
        with stranger(ahead, models) as port:
            desk.change((f'url = "{desk.openai.url}/v1"', f'url = "http://127.0.0.1:{port}/v1"'))
            found = desk.doctor()["clock"]
            assert found["state"] == state, found
            if ahead:
                side = "behind" if ahead > 0 else "ahead of"
                assert re.match(r"(9 min 5\d|10 min \d) s ", found["found"])
                assert f"{side} the clock of openai" in found["found"]


def test_a_program_that_answers_everything_with_200_is_no_engine(desk):
    with stranger() as port:
        for kind, old in (("ollama", f"http://127.0.0.1:{desk.ollama}"), ("lmstudio", desk.lmstudio.url)):
            desk.change((f'"{old}"', f'"http://127.0.0.1:{port}"'))
            found = desk.doctor()[f"engine {kind}"]
            assert found["state"] == "FAIL"
            assert "something answers" in found["found"]
            assert f"correct url under [engines.{kind}]" in found["fix"]


def test_an_engine_that_no_model_is_on_only_warns_when_it_is_down(desk):
    desk.start_ollama()
    desk.change(
        ("[models.llama]", '[engines.spare]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n\n[models.llama]')
    )
    assert desk.doctor()["engine spare"]["state"] == "warn"
    assert desk.shell("doctor").code == 0
    assert desk.shell("doctor", "--strict").code == 1


def test_a_port_that_another_program_has_fails_and_an_open_gate_is_well(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        desk.change(("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}"))
        assert desk.doctor()["port"]["state"] == "FAIL"
    desk.change(('"127.0.0.1:0"', '"0.0.0.0:0"\nkeys = "optional"'))
    found = desk.doctor()["port"]
    assert (found["state"], "[server]" in found["fix"]) == ("warn", True)
    desk.shell.write(desk.page())
    assert desk.shell("up", "-d").code == 0
    try:
        assert "the gate is open at" in desk.doctor()["port"]["found"]
    finally:
        desk.shell("down")


def test_a_ledger_is_read_through_and_a_damaged_one_fails(desk):
    place = desk.shell.home / ".local/share/headgate/ledger.db"
    assert desk.doctor()["ledger"]["found"].startswith("none yet")
    for number in range(200):
        save_card(place, Card(engine="e", id=f"m{number}", digest="d" * 400, machine="this", measured=1.0))
    assert desk.doctor()["ledger"]["state"] == "ok"
    with place.open("r+b") as file:
        file.seek(place.stat().st_size * 2 // 3)
        file.write(b"\xff" * 8192)
    found = desk.doctor()["ledger"]
    assert found["state"] == "FAIL"
    assert f"mv {place} {place}.damaged" in found["fix"]
    place.write_text("not a ledger at all, but long enough to be looked at")
    assert desk.doctor()["ledger"]["state"] == "FAIL"


def test_a_full_disk_fails_for_the_ledger_and_for_models_that_are_to_be_fetched(desk, monkeypatch):
    usage = shutil.disk_usage("/")
    with ollama_at(desk, models=["nomic-embed-text"]):
        monkeypatch.chdir(desk.shell.home)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000_000))
        env = {"HOME": str(desk.shell.home), "HEADGATE_DATA": str(desk.shell.home / "data"), "TEST_KEY": "x"}
        said = CliRunner(env=env).invoke(command, ["--json"])
    assert said.exit_code == 1
    found = {check["name"]: check for check in json.loads(said.stdout)["checks"]}
    assert found["disk ledger"]["state"] == "FAIL"
    assert found["disk ollama"]["state"] == "FAIL"
    assert "llama and coder, which are to be fetched" in found["disk ollama"]["required"]
    assert found["disk lmstudio"]["state"] == "warn"


def test_a_page_that_cannot_be_read_ends_in_one_line_and_no_page_at_all_in_one_too(desk):
    desk.shell.write("[engines.ollama\n")
    said = desk.shell("doctor")
    assert (said.code, len(said.out.splitlines())) == (1, 4)
    assert said.out.startswith("FAIL  config: ")
    (desk.shell.home / "headgate.toml").unlink()
    found = desk.doctor()
    assert (found["config"]["state"], found["config"]["fix"]) == ("FAIL", "headgate init")


def test_an_engine_whose_table_cannot_be_used_leaves_the_other_checks_alone(desk):
    desk.change(('kind = "openai"', 'kind = "openai"\nca_file = "/nowhere.pem"'))
    found = desk.doctor()
    assert found["engine openai"]["state"] == "FAIL"
    assert "ca_file" in found["engine openai"]["found"]
    assert found["engine anthropic"]["state"] == "ok"


def test_an_engine_that_says_nothing_does_not_hold_up_the_others(desk):
    with ollama_at(desk) as ollama:
        ollama.inject(Fault.half_open(), times=None, path="/api/tags")
        said = desk.shell("doctor", "--json", "--within", "3s")
        assert said.code == 1
        found = {check["name"]: check for check in said.json["checks"]}
        assert "did not end within" in found["engine ollama"]["found"]
        assert "headgate doctor --within 6s" in found["engine ollama"]["fix"]
        assert found["engine lmstudio"]["state"] == "ok"
        assert said.json["seconds"] < 8


def test_a_duration_that_is_none_ends_in_a_hint(desk):
    said = desk.shell("doctor", "--within", "soon")
    assert (said.code, "is not a duration" in said.err) == (2, True)


def test_a_person_at_a_terminal_sees_what_is_being_checked_and_the_data_stays_clean(desk):
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 4096):
                shown.append(piece)
        except OSError:
            pass  # the other side is closed

    reader = Thread(target=read, daemon=True)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "doctor", "--json"],
        cwd=desk.shell.home,
        env=desk.shell.env | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)
    reader.join(10)
    os.close(ours)
    assert json.loads(done.stdout)["checks"]
    assert b"checking " in b"".join(shown)


def test_a_repair_is_a_line_that_can_be_typed_or_an_edit_in_words(desk):
    screen = (SCREENS / "doctor-faults.txt").read_text()
    fixes = re.findall(r"(?m)^      fix: (.*)$", screen)
    fixes += [check["fix"] for check in desk.doctor().values() if check["fix"]]
    edits = [fix for fix in fixes if fix.split()[0] in ("write", "correct", "take", "make")]
    orders = [order for fix in fixes if fix not in edits for order in fix.partition("  #")[0].split(" && ")]
    assert len(orders) > 10
    for order in orders:
        program, *words = shlex.split(order)
        assert program in ("headgate", "export", "chmod", "curl", "nvidia-smi"), order
        found: Any = root if program == "headgate" else None
        while isinstance(found, click.Group):
            found = found.get_command(click.Context(found), words.pop(0))
            assert found is not None, order
        if found is not None:
            assert found.make_context("headgate", words) is not None


def test_models_that_were_loaded_to_be_checked_go_even_when_the_time_is_over(desk):
    def slow(call: Any) -> Answer:
        return Answer("yes", delay=0.0 if len(call.body) < 10_000 else 600.0)

    with ollama_at(desk, answer=slow) as ollama:
        found = desk.doctor("--deep", "--within", "4s")
        assert found["load llama"]["state"] == "ok"
        assert "did not end within" in found["context llama"]["found"]
        assert "did not end within" in found["load coder"]["found"]
        assert ollama.running() == []


def test_beside_an_open_gate_models_stay_as_they_are(desk):
    with ollama_at(desk) as ollama:
        assert desk.shell("up", "-d").code == 0
        try:
            said = desk.shell("doctor", "--deep", "--json")
            assert "the gate is open at" in said.err
            assert {runner.name for runner in ollama.running()} >= {"llama3.1:8b"}
        finally:
            desk.shell("down")


def test_an_engine_that_does_not_say_what_is_in_its_memory_fails(desk):
    with ollama_at(desk) as ollama:
        ollama.inject(Fault.malformed_json(), times=None, path="/api/ps")
        found = desk.doctor()["loaded ollama"]
        assert (found["state"], "headgate engines status ollama" in found["fix"]) == ("FAIL", True)


def test_a_page_with_headers_that_only_its_user_may_read_is_well(desk):
    desk.change(("[engines.anthropic]", f"{VLLM.format(port=9)}\n[engines.anthropic]"))
    page = desk.shell.home / "headgate.toml"
    page.chmod(0o644)
    fix = desk.doctor()["secrets"]["fix"]
    assert fix == f"chmod 600 {page}"
    page.chmod(0o600)
    assert desk.doctor()["secrets"]["state"] == "ok"


def test_a_key_in_a_file_that_is_empty_is_named_by_its_file(desk):
    (desk.shell.home / "key").write_text("")
    desk.change(
        (
            'key = "env:TEST_KEY"\n\n[engines.openai]',
            f'key = "file:{desk.shell.home}/key"\n\n[engines.openai]',
        )
    )
    assert desk.doctor()["key anthropic"]["fix"] == f"write the key into {desk.shell.home}/key"


def test_what_a_template_puts_around_a_prompt_is_not_taken_for_a_part_of_it_that_was_lost(desk):
    def verbose(call: Any) -> Answer:
        return Answer("yes", input_tokens=count_prompt(call) + 1500)

    with ollama_at(desk, answer=verbose):
        found = desk.doctor("--deep")["context llama"]
        assert (found["state"], "read whole" in found["found"]) == ("ok", True)


def test_with_deep_the_gpu_is_looked_at_when_models_are_loaded(desk):
    desk.change(("ram_gb = 64", "ram_gb = 64\nvram_gb = 24"))
    with ollama_at(desk, vram=0):
        assert desk.doctor()["gpu ollama"]["state"] == "ok"
        found = desk.doctor("--deep")["gpu ollama"]
        assert (found["state"], "llama3.1:8b" in found["found"]) == ("FAIL", True)
