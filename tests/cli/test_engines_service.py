"""`headgate engines start|stop|status|undo` as a person runs them, over doubles of ollama, lms and systemctl."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from program_doubles import Programs, free_port, same_screen

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles and what they show need /proc")

PAGE = """
[engines.ollama]
kind = "ollama"
url = "http://127.0.0.1:{ollama}"
parallel = 4

[engines.lmstudio]
kind = "lmstudio"
url = "http://127.0.0.1:{lmstudio}"

[engines.anthropic]
kind = "anthropic"
key = "env:TEST_KEY"

[engines.far]
kind = "ollama"
url = "http://192.168.7.7:11434"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 16384

[models.coder]
engine = "ollama"
id = "qwen2.5-coder:7b"
context = 8192

[models.phi]
engine = "lmstudio"
id = "phi-3-mini-128k-instruct"

[[routes]]
name = "everything"
try = ["llama", "coder", "phi"]
"""

WANTED = {
    "OLLAMA_NUM_PARALLEL": "4",
    "OLLAMA_MAX_LOADED_MODELS": "2",
    "OLLAMA_CONTEXT_LENGTH": "8192",
    "OLLAMA_KEEP_ALIVE": "30m",
    "OLLAMA_NO_CLOUD": "1",
}


@dataclass
class Desk:
    """A shell whose PATH is a folder of doubles."""

    shell: Any
    programs: Programs
    ollama: int
    lmstudio: int
    units: Path

    def __call__(self, *args: str, **env: str) -> Any:
        return self.shell(*args, **env)

    def settings(self, name: str = "ollama") -> dict[str, tuple[str | None, str]]:
        (engine,) = self("engines", "status", name, "--json").json["engines"]
        return {row["name"]: (row["found"], row["state"]) for row in engine["settings"]}

    def state(self, name: str = "ollama") -> dict[str, Any]:
        (engine,) = self("engines", "status", name, "--json").json["engines"]
        return engine

    def want(self, line: str) -> None:
        """Add a line to Ollama's table in the config."""
        page = PAGE.format(ollama=self.ollama, lmstudio=self.lmstudio)
        self.shell.write(page.replace('kind = "ollama"', f'kind = "ollama"\n{line}', 1))

    def by_systemd(self, *, active: bool = True, folder: Path | None = None, **own: str) -> Path:
        """Ollama as its maker's script leaves it: a unit, running. Gives the place of our drop-in."""
        fragment = (folder or self.units) / "ollama.service"
        if folder is None:
            fragment.write_text("[Service]\nExecStart=/bin/ollama serve\n")
        self.programs.add("systemctl")
        own = {"OLLAMA_HOST": f"127.0.0.1:{self.ollama}", **own}
        self.programs.set("systemd", fragment=str(fragment), own=own)
        if active:
            subprocess.run([self.programs.folder / "systemctl", "start", "ollama.service"], check=True)
            until(lambda: answers(self.ollama))
            (self.programs.folder / "calls").unlink()
        return Path(f"{fragment}.d/headgate.conf")

    def same_screen(self, name: str, text: str) -> None:
        folders = (self.shell.home, self.programs.folder, self.units)
        same_screen(name, text, folders, (self.ollama, self.lmstudio))


@pytest.fixture
def desk(shell: Any, tmp_path: Path) -> Iterator[Desk]:
    folder, units = tmp_path / "bin", tmp_path / "units"
    folder.mkdir()
    units.mkdir()
    made = Desk(shell, Programs(folder), free_port(), free_port(), units)
    shell.env["PATH"] = str(folder)
    shell.write(PAGE.format(ollama=made.ollama, lmstudio=made.lmstudio))
    yield made
    made.programs.end()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/version", timeout=2):
            return True
    except OSError:
        return False


def until(true: Callable[[], bool], within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_ollama_is_started_with_the_settings_of_the_config_outlives_the_command_and_is_stopped(desk):
    desk.programs.add("ollama")
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 0, said.err
    desk.same_screen("engines-start-child", said.err + said.out)
    assert answers(desk.ollama)
    state = desk.state()
    assert (state["version"], state["started_by"], state["running"]) == ("0.33.0", "headgate", True)
    assert (state["listens"], state["exposed"]) == (["127.0.0.1"], [])
    found = desk.settings()
    assert {name: found[name] for name in WANTED} == {name: (value, "ok") for name, value in WANTED.items()}
    again = desk("engines", "start", "ollama", "--yes")
    assert (again.code, "runs already" in again.err) == (0, True)
    assert desk.programs.calls("ollama") == ["ollama serve"]
    stopped = desk("engines", "stop", "ollama")
    assert (stopped.code, stopped.err) == (0, stopped.err)
    assert "is stopped" in stopped.err
    assert not answers(desk.ollama)
    assert "does not run" in desk("engines", "stop", "ollama").err


def test_a_quantized_cache_is_asked_for_with_what_it_needs(desk):
    desk.programs.add("ollama")
    desk.want('kv_cache = "q8_0"')
    told = desk("engines", "start", "ollama", "--yes", "--json").json
    settings = {row["name"]: row["found"] for row in told["settings"]}
    assert (settings["OLLAMA_KV_CACHE_TYPE"], settings["OLLAMA_FLASH_ATTENTION"]) == ("q8_0", "1")
    assert told["change"]["starts"][1] == "serve"
    assert desk.settings()["OLLAMA_KV_CACHE_TYPE"] == ("q8_0", "ok")


def test_a_changed_config_is_drift_until_the_engine_is_started_anew(desk):
    desk.programs.add("ollama")
    assert desk("engines", "start", "ollama", "--yes").code == 0
    first = desk.state()["pid"]
    desk.shell.write(
        PAGE.replace("parallel = 4", "parallel = 8").format(ollama=desk.ollama, lmstudio=desk.lmstudio)
    )
    status = desk("engines", "status", "ollama")
    assert status.code == 0
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == ("4", "drift")
    desk.same_screen("engines-status-drift", status.out)
    said = desk("engines", "start", "ollama", "--yes")
    assert (said.code, f"end process {first}" in said.err) == (0, True)
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == ("8", "ok")
    assert desk.state()["pid"] != first


def test_nothing_is_done_without_a_yes(desk):
    desk.programs.add("ollama")
    refused = desk("engines", "start", "ollama")
    assert refused.code == 2
    assert "nobody is here to say yes" in refused.err
    shown = desk("engines", "start", "ollama", "--plan")
    assert (shown.code, shown.err) == (0, "")
    assert f"OLLAMA_HOST=127.0.0.1:{desk.ollama}" in shown.out
    plan = desk("engines", "start", "ollama", "--plan", "--json").json
    assert dict(plan["change"]["environment"])["OLLAMA_NUM_PARALLEL"] == "4"
    assert all(setting["why"] for setting in plan["settings"])
    assert desk.programs.calls("ollama") == []
    assert not (desk.shell.home / ".local").exists()


@pytest.mark.parametrize(("answer", "started"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_and_only_yes_counts(desk, answer, started):
    desk.programs.add("ollama")
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "headgate", "engines", "start", "ollama"],
        cwd=desk.shell.home,
        env=desk.shell.env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, answer.encode())
    _, err = child.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert "do it?" in err
    assert answers(desk.ollama) is started
    assert child.returncode == (0 if started else 130)


def test_a_unit_of_systemd_gets_a_drop_in_which_undo_takes_away_again(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    assert desk.state()["started_by"] == "systemd"
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == (None, "drift")
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 0, said.err
    desk.same_screen("engines-start-systemd", said.err + said.out)
    assert 'Environment="OLLAMA_NUM_PARALLEL=4"' in place.read_text()
    assert [row[1] for row in desk.settings().values()] == ["ok"] * 6
    undone = desk("engines", "undo", "ollama", "--yes")
    assert undone.code == 0, undone.err
    desk.same_screen("engines-undo-systemd", undone.err + undone.out)
    assert not place.parent.exists()
    until(lambda: answers(desk.ollama))  # it ran before, so it runs again
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == (None, "drift")
    again = desk("engines", "undo", "ollama", "--yes", "--json")
    assert (again.code, again.json["undone"]) == (0, False)
    assert (
        desk.programs.calls("systemctl")
        == [
            "systemctl --no-ask-password daemon-reload",
            "systemctl --no-ask-password restart ollama.service",
        ]
        * 2
    )


def test_undo_after_two_starts_leads_back_to_before_the_first(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd(active=False)
    place.parent.mkdir()
    place.write_text("[Service]\n# mine\n")
    assert desk("engines", "start", "ollama", "--yes").code == 0
    desk.want('kv_cache = "q4_0"')
    assert desk("engines", "start", "ollama", "--yes").code == 0
    assert 'Environment="OLLAMA_KV_CACHE_TYPE=q4_0"' in place.read_text()
    assert desk("engines", "undo", "ollama", "--yes").code == 0
    assert place.read_text() == "[Service]\n# mine\n"
    assert not answers(desk.ollama)  # it did not run before


def test_undo_never_touches_what_somebody_else_changed_since(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    assert desk("engines", "start", "ollama", "--yes").code == 0
    place.write_text("[Service]\nEnvironment=MINE=1\n")
    refused = desk("engines", "undo", "ollama", "--yes")
    assert refused.code == 1
    assert f"{place} was changed by somebody else" in refused.err
    assert place.read_text() == "[Service]\nEnvironment=MINE=1\n"
    place.unlink()
    assert desk("engines", "undo", "ollama", "--yes").code == 0


def test_a_service_is_stopped_by_systemd_and_only_on_yes(desk):
    desk.programs.add("ollama")
    desk.by_systemd()
    assert desk("engines", "stop", "ollama").code == 2
    assert answers(desk.ollama)
    assert desk("engines", "stop", "ollama", "--yes").code == 0
    assert not answers(desk.ollama)
    assert desk.programs.calls("systemctl") == ["systemctl --no-ask-password stop ollama.service"]


def test_a_drop_in_that_is_read_after_ours_is_named_as_the_one_that_wins(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    place.parent.mkdir()
    (place.parent / "override.conf").write_text('[Service]\nEnvironment="OLLAMA_NUM_PARALLEL=1"\n')
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 1
    assert "1 setting of ollama did not take effect: OLLAMA_NUM_PARALLEL" in said.err
    assert "override.conf, which wins" in said.err


def test_without_permission_nothing_is_written_and_the_lines_for_the_administrator_are_told(desk):
    desk.programs.add("ollama")
    forbidden = Path("/sys/kernel")  # not even root makes a folder there
    place = desk.by_systemd(active=False, folder=forbidden)
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 1
    assert f"{place} cannot be written" in said.err
    assert "what was changed is taken back" in said.err
    assert f"sudo tee {place} > /dev/null <<'EOF'" in said.err
    assert "sudo systemctl restart ollama.service" in said.err
    assert desk.programs.calls("systemctl") == []
    assert not list((desk.shell.home / ".local/share/headgate/engines").iterdir())


def test_a_systemd_that_wants_a_password_changes_nothing_and_the_same_is_told_for_sudo(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    desk.programs.fail(systemd_denies=True)
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 1
    desk.same_screen("engines-start-denied", said.err)
    assert not place.parent.exists()
    assert "sudo systemctl daemon-reload" in said.err
    desk.programs.fail()
    assert desk("engines", "undo", "ollama", "--json").json["undone"] is False


def test_a_service_that_does_not_come_up_gets_its_old_settings_back(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd(active=False)
    desk.programs.fail(systemd_cannot_restart=True)
    said = desk("engines", "start", "ollama", "--yes")
    assert (said.code, "failed because the control process" in said.err) == (1, True)
    assert not place.parent.exists()
    assert desk.programs.calls("systemctl")[-2:] == [
        "systemctl --no-ask-password daemon-reload",
        "systemctl --no-ask-password stop ollama.service",
    ]


def test_a_command_that_is_killed_half_way_leaves_nothing_half_written_and_can_be_undone(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    desk.programs.fail(systemd_hangs=True)
    child = desk.shell.start("engines", "start", "ollama", "--yes")
    until((desk.programs.folder / "hanging").exists)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert place.read_text().endswith('Environment="OLLAMA_NO_CLOUD=1"\n')
    assert [file.name for file in place.parent.iterdir()] == ["headgate.conf"]
    place.with_name("headgate.conf.new").write_text("[Serv")  # as if it had been killed while it wrote
    desk.programs.fail()
    assert desk("engines", "undo", "ollama", "--yes").code == 0
    assert not place.parent.exists()
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == (None, "drift")


def test_an_ollama_started_by_hand_is_never_ended_without_its_own_word(desk):
    desk.programs.add("ollama")
    env = {**desk.shell.env, "OLLAMA_HOST": f"127.0.0.1:{desk.ollama}", "SECRET": "hush"}
    process = subprocess.Popen([desk.programs.folder / "ollama", "serve"], env=env)
    until(lambda: answers(desk.ollama))
    status = desk("engines", "status", "ollama", "--json")
    assert "hush" not in status.out
    (engine,) = status.json["engines"]
    assert (engine["started_by"], engine["pid"]) == ("hand", process.pid)
    refused = desk("engines", "start", "ollama", "--yes")
    assert (refused.code, "started by hand" in refused.err) == (4, True)
    refused = desk("engines", "stop", "ollama", "--yes")
    assert refused.code == 4
    assert "Headgate did not start this Ollama" in refused.err
    assert process.poll() is None
    assert desk("engines", "stop", "ollama", "--foreign").code == 2
    assert process.poll() is None
    assert desk("engines", "stop", "ollama", "--foreign", "--yes").code == 0
    assert process.wait(10) is not None


def test_a_child_that_has_died_and_whose_number_another_process_has_is_not_ours(desk):
    desk.programs.add("ollama")
    assert desk("engines", "start", "ollama", "--yes").code == 0
    record = desk.shell.home / ".local/share/headgate/engines/ollama.child.json"
    child = json.loads(record.read_text())
    other = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    record.write_text(json.dumps({**child, "pid": other.pid}))
    os.kill(child["pid"], signal.SIGKILL)
    until(lambda: not answers(desk.ollama))
    assert "does not run" in desk("engines", "stop", "ollama", "--yes").err
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_program_that_dies_at_once_is_told_with_its_last_words(desk):
    desk.programs.add("ollama")
    desk.programs.fail(ollama_dies="Error: listen tcp: bind: address already in use")
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 4
    desk.same_screen("engines-start-dies", said.err)
    assert "bind: address already in use" in said.err
    assert desk.state()["running"] is False


def test_a_program_that_never_answers_is_ended_again(desk):
    desk.programs.add("ollama")
    desk.programs.fail(ollama_is_silent=True)
    said = desk("engines", "start", "ollama", "--yes", "--within", "1")
    assert said.code == 4
    assert "does not answer" in said.err
    assert "so it was ended" in said.err
    assert not (desk.shell.home / ".local/share/headgate/engines/ollama.child.json").exists()


class Other(BaseHTTPRequestHandler):
    """Some other program."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("name", ["ollama", "lmstudio"])
def test_a_port_that_another_program_has_is_told_and_nothing_is_started(desk, name):
    desk.programs.add("ollama")
    desk.programs.add("lms")
    server = HTTPServer(("127.0.0.1", getattr(desk, name)), Other)
    Thread(target=server.serve_forever, daemon=True).start()
    said = desk("engines", "start", name, "--yes")
    assert said.code == 4
    assert f"port {getattr(desk, name)} is taken" in said.err
    assert f"process {os.getpid()}" in said.err
    assert desk.state(name)["port_taken"] is True
    assert desk("engines", "stop", name, "--yes").code == 4
    server.shutdown()
    server.server_close()
    assert desk.programs.calls("ollama", "lms") == []


def test_a_port_that_is_taken_by_what_speaks_no_http_is_taken_too(desk):
    desk.programs.add("ollama")
    with socket.create_server(("127.0.0.1", desk.ollama)) as server:

        def babble() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"220 mail\r\n")

        Thread(target=babble, daemon=True).start()
        said = desk("engines", "start", "ollama", "--yes")
    assert (said.code, "is taken" in said.err) == (4, True)


def test_lm_studio_without_a_desktop_is_started_on_its_port_and_undone(desk):
    desk.programs.add("lms")
    said = desk("engines", "start", "lmstudio", "--yes")
    assert said.code == 0, said.err
    desk.same_screen("engines-start-lmstudio", said.err + said.out)
    assert desk.programs.calls("lms")[:2] == ["lms daemon up", f"lms server start --port {desk.lmstudio}"]
    assert desk.settings("lmstudio") == {"port": (str(desk.lmstudio), "ok"), "bind": ("127.0.0.1", "ok")}
    assert desk.state("lmstudio")["version"] == "0.3.41"
    assert desk("engines", "undo", "lmstudio", "--yes").code == 0
    assert desk.programs.state("lms")["pid"] is None
    assert desk.programs.state("lms")["daemon"] is False


def test_lm_studio_on_another_port_is_drift_and_moved(desk):
    desk.programs.add("lms")
    other = free_port()
    subprocess.run([desk.programs.folder / "lms", "server", "start", "--port", str(other)], check=True)
    desk.programs.set("lms", **desk.programs.state("lms"), daemon=True)
    assert desk.settings("lmstudio")["port"] == (str(other), "drift")
    said = desk("engines", "start", "lmstudio", "--yes")
    assert said.code == 0, said.err
    assert f"it serves on port {other} now" in said.err
    assert desk.settings("lmstudio")["port"] == (str(desk.lmstudio), "ok")
    assert desk("engines", "undo", "lmstudio", "--yes").code == 0
    assert desk.programs.state("lms")["port"] == other
    assert desk("engines", "stop", "lmstudio", "--plan").out == ""


def test_what_is_not_installed_is_named_with_its_makers_command_and_yes_alone_does_not_run_it(desk):
    (desk.programs.folder / "sh").symlink_to("/bin/sh")
    copy = "install.write_text({text!r}); install.chmod(0o755)"
    made = desk.programs.add("ollama").read_text()
    (desk.programs.folder / "ollama").unlink()
    place = desk.programs.folder / "ollama"
    install = f"install = Path({str(place)!r}); " + copy.format(text=made) + "\nprint('echo installing')\n"
    desk.programs.add("curl", install)
    said = desk("engines", "start", "ollama", "--yes")
    assert said.code == 4
    assert "Ollama is not installed" in said.err
    assert "curl -fsSL https://ollama.com/install.sh | sh" in said.err
    assert "--install" in said.err
    assert desk("engines", "start", "ollama", "--install").code == 4
    assert desk.programs.calls("curl") == []
    assert "not installed" in desk("engines", "status").out
    said = desk("engines", "start", "ollama", "--install", "--yes", "--json")
    assert said.code == 0, said.err
    assert desk.programs.calls("curl") == ["curl -fsSL https://ollama.com/install.sh"]
    assert "installing" in said.err
    assert said.json["running"] is True


def test_an_installation_that_fails_is_told(desk):
    (desk.programs.folder / "sh").symlink_to("/bin/sh")
    desk.programs.add("curl", "print('exit 7')\n")
    said = desk("engines", "start", "ollama", "--install", "--yes")
    assert (said.code, "the installation ended with code 7" in said.err) == (4, True)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("start", "olama"), 2, ['there is no engine "olama"', 'did you mean "ollama"?']),
        (("start", "lm-studio"), 2, ['did you mean "lmstudio"?']),
        (("start", "xyz"), 2, ["one of: ollama, lmstudio"]),
        (("start", "anthropic"), 2, ["its kind is anthropic", "Headgate starts ollama and lmstudio"]),
        (("stop", "llamacpp"), 2, ["cannot be started or stopped here"]),
        (("start", "far"), 2, ["which is another machine", "run this command there"]),
        (("start", "ollama", "--way", "systemd", "--yes"), 2, ["there is no ollama.service", "--way child"]),
        (("start", "ollama", "--way", "magic"), 2, ["magic"]),
        (("start", "ollama", "--way", "setx", "--yes"), 2, ["setx is no way of this system"]),
        (("status", "olama"), 2, ['did you mean "ollama"?']),
        (("undo", "olama"), 2, ['did you mean "ollama"?']),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_about_an_engine_gets_an_error_a_hint_and_its_exit_code(desk, args, code, words):
    desk.programs.add("ollama")
    said = desk("engines", *args)
    assert (said.code, said.out) == (code, "")
    assert "error: " in said.err
    assert "\n\nhint: " in said.err
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def test_an_engine_by_its_own_name_in_the_config_keeps_its_own_files(desk):
    desk.programs.add("ollama")
    page = PAGE.replace("engines.ollama]", 'engines."my ../box"]').replace(
        'engine = "ollama"', 'engine = "my ../box"'
    )
    desk.shell.write(page.format(ollama=desk.ollama, lmstudio=desk.lmstudio))
    assert desk("engines", "start", "my ../box", "--yes").code == 0
    names = {file.name for file in (desk.shell.home / ".local/share/headgate/engines").iterdir()}
    assert names == {"my%20..%2Fbox.child.json", "my%20..%2Fbox.log"}
    assert desk("engines", "stop", "my ../box").code == 0


def test_status_without_a_name_shows_all_that_is_on_this_machine(desk):
    for name in ("ollama", "lms"):
        desk.programs.add(name)
    desk.programs.add("llama-server", "sys.stderr.write('version: 6123 (abcdef0)')\n")
    desk.programs.add("vllm", "sys.exit('it must not be run: it loads torch')\n")
    said = desk("engines", "status")
    assert said.code == 0
    desk.same_screen("engines-status", said.out)
    others = {one["kind"]: one for one in desk("engines", "status", "--json").json["others"]}
    assert (others["llama-server"]["version"], others["vllm"]["version"]) == ("6123", None)
    assert "vllm" not in " ".join(desk.programs.calls("vllm"))


def test_a_unit_of_the_users_own_systemd_is_kept_by_it(desk):
    desk.programs.add("ollama")
    folder = desk.shell.home / ".config/systemd/user"
    folder.mkdir(parents=True)
    place = desk.by_systemd(active=False, folder=folder)
    desk.programs.set("systemd", **desk.programs.state("systemd"), user=True)
    assert desk("engines", "start", "ollama", "--yes").code == 0
    assert place.is_file()
    assert desk.state()["started_by"] == "systemd user"
    assert desk.programs.calls("systemctl") == [
        "systemctl --user --no-ask-password daemon-reload",
        "systemctl --user --no-ask-password restart ollama.service",
    ]
    desk.want('kv_cache = "q8_0"')
    other = desk("engines", "start", "ollama", "--way", "child", "--yes")
    assert (other.code, "headgate engines stop ollama" in other.err) == (4, True)


def test_a_drop_in_that_the_administrator_put_there_by_our_lines_is_taken_away_too(desk):
    desk.programs.add("ollama")
    place = desk.by_systemd()
    desk.programs.fail(systemd_denies=True)
    hint = desk("engines", "start", "ollama", "--yes").err
    text = hint.partition("<<'EOF'\n")[2].partition("EOF\n")[0]
    desk.programs.fail()
    place.parent.mkdir()
    place.write_text(text)
    for verb in (["daemon-reload"], ["restart", "ollama.service"]):
        subprocess.run([desk.programs.folder / "systemctl", *verb], check=True)
    until(lambda: answers(desk.ollama))
    assert "runs already" in desk("engines", "start", "ollama").err
    assert desk("engines", "undo", "ollama", "--yes").code == 0
    assert not place.exists()
    assert desk.settings()["OLLAMA_NUM_PARALLEL"] == (None, "drift")


def test_two_commands_at_once_start_one_engine_and_it_stays_known(desk):
    desk.programs.add("ollama")
    both = [desk.shell.start("engines", "start", "ollama", "--yes") for _ in range(2)]
    said = [child.communicate(timeout=60) for child in both]
    assert 0 in [child.returncode for child in both], said
    assert all("Traceback" not in err for _, err in said)
    assert desk.state()["started_by"] == "headgate"
    assert desk("engines", "stop", "ollama").code == 0
    assert not answers(desk.ollama)


def test_an_engine_that_is_being_started_is_not_started_again_and_can_be_stopped(desk):
    desk.programs.add("ollama")
    desk.programs.fail(ollama_is_silent=True)
    child = desk.shell.start("engines", "start", "ollama", "--yes")
    record = desk.shell.home / ".local/share/headgate/engines/ollama.child.json"
    until(lambda: record.exists() and json.loads(record.read_text())["pid"] != child.pid)
    second = desk("engines", "start", "ollama", "--yes")
    assert (second.code, "is being started already" in second.err) == (4, True)
    assert desk("engines", "stop", "ollama").code == 0
    _, err = child.communicate(timeout=60)
    assert (child.returncode, "ended at once" in err) == (4, True)
