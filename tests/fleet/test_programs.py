"""Engines as programs: what is wanted of them, what is found, and changes on systems other than this one."""

import json
import signal
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from msgspec.structs import replace

from headgate.config.engine import EngineSettings
from headgate.config.load import parse_config, starter_text
from headgate.core.errors import HeadgateError
from headgate.fleet.programs import apply as changes_made
from headgate.fleet.programs.changes import Change, assign
from headgate.fleet.programs.found import Program, exposed, find_program, find_programs
from headgate.fleet.programs.install import COMMANDS, distribution, install_command
from headgate.fleet.programs.machine import Machine, this_machine
from headgate.fleet.programs.observed import found_settings
from headgate.fleet.programs.plans import plan_start
from headgate.fleet.programs.process import birth, end, keeper
from headgate.fleet.programs.settings import Found, Setting, drift, wanted_settings
from headgate.fleet.programs.sockets import listeners
from headgate.fleet.programs.stopping import plan_stop, plan_undo
from headgate.fleet.programs.systemd import Unit
from program_doubles import Programs

OLLAMA = EngineSettings(name="ollama", kind="ollama", url="http://127.0.0.1:11434", parallel=4)


@pytest.fixture
def programs(tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    made = Programs(folder)
    yield made
    made.end()


@pytest.fixture
def machine(tmp_path, programs):
    def make(system="linux", **env):
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (tmp_path / "root").mkdir(exist_ok=True)
        env = {"PATH": str(programs.folder), **env}
        return Machine(system=system, home=home, data=home / "data", env=env, root=tmp_path / "root")

    return make


class Answers(BaseHTTPRequestHandler):
    """An Ollama that knows its version only."""

    def do_GET(self):
        known = self.path == "/api/version"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b'{"version": "0.33.0"}' if known else b"")

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    running = HTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port
    running.shutdown()
    running.server_close()


def listening(machine, port, *addresses):
    """What the kernel says of sockets at a port, in the folder that stands for /."""
    net = machine.root / "proc/net"
    net.mkdir(parents=True, exist_ok=True)
    lines = {
        "tcp": ["  sl  local_address rem_address   st"],
        "tcp6": ["  sl  local_address rem_address   st"],
    }
    for number, address in enumerate(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        words = "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))
        peer = "0" * len(words)
        lines["tcp6" if ":" in address else "tcp"].append(
            f"   {number}: {words}:{port:04X} {peer}:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 {900 + number} 1"
        )
    for name, text in lines.items():
        (net / name).write_text("\n".join(text) + "\n")


def starter():
    return parse_config(starter_text(), None, lambda *_: None)


def test_the_starter_page_wants_what_the_users_stack_names():
    config = starter()
    models = config.policy.models.values()
    wanted = {one.name: one.value for one in wanted_settings(config.engines["ollama"], models)}
    assert wanted["OLLAMA_NUM_PARALLEL"] == "4"
    assert wanted["OLLAMA_HOST"] == "127.0.0.1:11434"
    assert wanted["OLLAMA_NO_CLOUD"] == "1"
    assert wanted["OLLAMA_MAX_LOADED_MODELS"] == str(sum(one.engine == "ollama" for one in models))
    assert "OLLAMA_KV_CACHE_TYPE" not in wanted
    studio = wanted_settings(config.engines["lmstudio"], models)
    assert [(one.name, one.value) for one in studio] == [("port", "1234"), ("bind", "127.0.0.1")]
    assert wanted_settings(config.engines["anthropic"], models) == ()


def test_the_memory_plan_decides_how_many_models_stay_loaded():
    models = starter().policy.models.values()
    wanted = {one.name: one for one in wanted_settings(replace(OLLAMA, kv_cache="q8_0"), models, loaded=1)}
    assert wanted["OLLAMA_MAX_LOADED_MODELS"].value == "1"
    assert (wanted["OLLAMA_KV_CACHE_TYPE"].value, wanted["OLLAMA_FLASH_ATTENTION"].value) == ("q8_0", "1")
    plain = {one.name for one in wanted_settings(OLLAMA, models)}
    assert "OLLAMA_FLASH_ATTENTION" not in plain
    assert all(one.why for one in wanted.values())


@pytest.mark.parametrize(
    ("name", "wanted", "found", "state"),
    [
        ("OLLAMA_HOST", "127.0.0.1:11434", "http://localhost:11434/", "ok"),
        ("OLLAMA_HOST", "127.0.0.1:11434", "127.0.0.1", "ok"),
        ("OLLAMA_HOST", "127.0.0.1:11434", ":11434", "ok"),
        ("OLLAMA_HOST", "127.0.0.1:11434", "0.0.0.0", "drift"),
        ("OLLAMA_HOST", "127.0.0.1:11434", "127.0.0.1:11435", "drift"),
        ("OLLAMA_HOST", "[::1]:11434", "[::1]:11434", "ok"),
        ("OLLAMA_HOST", "127.0.0.1:11434", None, "ok"),
        ("OLLAMA_HOST", "127.0.0.1:11500", None, "drift"),
        ("OLLAMA_KEEP_ALIVE", "30m", "1800", "ok"),
        ("OLLAMA_KEEP_ALIVE", "30m", "0h30m0s", "ok"),
        ("OLLAMA_KEEP_ALIVE", "30m", "-1", "drift"),
        ("OLLAMA_KEEP_ALIVE", "30m", None, "drift"),
        ("OLLAMA_NUM_PARALLEL", "1", None, "ok"),
        ("OLLAMA_NUM_PARALLEL", "4", "4", "ok"),
        ("OLLAMA_NUM_PARALLEL", "4", "40", "drift"),
        ("OLLAMA_NO_CLOUD", "1", "true", "ok"),
        ("OLLAMA_NO_CLOUD", "1", None, "drift"),
        ("OLLAMA_KV_CACHE_TYPE", "f16", "", "ok"),
    ],
)
def test_a_setting_is_compared_by_its_meaning(name, wanted, found, state):
    values = {} if found is None else {name: found}
    (row,) = drift([Setting(name, wanted, "why")], [Found("a source", values, whole=True)])
    assert (row.state, row.found, row.source, row.why) == (state, found, "a source", "why")


def test_what_no_source_tells_is_unknown_and_the_first_that_tells_wins():
    sources = [Found("first", {"A": "1"}), Found("second", {"A": "2", "B": "2"})]
    a, b, c = drift([Setting(name, "2", "") for name in "ABC"], sources)
    assert (a.state, a.source) == ("drift", "first")
    assert (b.state, b.source) == ("ok", "second")
    assert (c.state, c.found, c.source) == ("unknown", None, "")


@pytest.mark.parametrize(
    ("addresses", "reached"),
    [
        (("127.0.0.1",), ()),
        (("127.0.0.1", "::1"), ()),
        (("::ffff:127.0.0.1",), ()),
        (("0.0.0.0",), ("0.0.0.0",)),
        (("::",), ("::",)),
        (("127.0.0.1", "192.168.1.5"), ("192.168.1.5",)),
    ],
)
def test_a_port_that_other_machines_reach_is_told_from_one_that_they_do_not(
    machine, server, addresses, reached
):
    here = machine()
    listening(here, server, *addresses)
    program = find_program(here, "ollama", f"http://127.0.0.1:{server}")
    assert program.running
    assert exposed(program) == reached


def test_where_sockets_cannot_be_seen_exposure_is_unknown(machine, server):
    for system in ("linux", "windows", "darwin"):
        program = find_program(machine(system), "ollama", f"http://127.0.0.1:{server}")
        assert (program.running, program.addresses, exposed(program)) == (True, None, None)
        assert program.started_by is None


def test_a_socket_that_only_has_a_connection_does_not_listen(machine):
    here = machine()
    listening(here, 4141, "127.0.0.1")
    table = here.root / "proc/net/tcp"
    table.write_text(table.read_text().replace(" 0A ", " 01 "))
    assert listeners(here, 4141) == ()


def test_lsof_tells_on_macos_who_listens_where(machine, programs):
    programs.add("lsof", "print('p321\\nf7\\nn*:11434\\nf8\\nn[::1]:11434\\nf9\\nn127.0.0.1:11434')")
    found = listeners(machine("darwin"), 11434)
    assert [(one.address, one.pid) for one in found] == [("::", 321), ("::1", 321), ("127.0.0.1", 321)]


@pytest.mark.parametrize(
    ("group", "command", "by"),
    [
        ("0::/system.slice/ollama.service", "ollama\0serve", "systemd"),
        ("0::/system.slice/docker-abc.scope", "ollama\0serve", "container"),
        ("0::/system.slice/docker.service", "/usr/bin/docker-proxy\0-host-port", "container"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", "ollama\0serve", "hand"),
        ("0::/", "/tmp/.mount_LM-Stu/lm-studio", "app"),
    ],
)
def test_who_keeps_a_process_is_read_from_its_control_group(machine, group, command, by):
    here = machine()
    folder = here.root / "proc/77"
    folder.mkdir(parents=True)
    (folder / "cgroup").write_text(f"{group}\n")
    (folder / "cmdline").write_text(command)
    unit = Unit(name="ollama.service", user=False, active=True, fragment="/etc/systemd/system/ollama.service")
    assert keeper(here, 77, unit) == by
    assert keeper(here, 78, unit) is None


def test_a_process_that_is_not_the_one_that_was_meant_is_never_ended(programs, tmp_path):
    script = programs.add("idle", "signal.pause()")
    other = subprocess.Popen([script])
    here = this_machine()
    assert end(here, other.pid, "born at another time")
    assert other.poll() is None
    assert end(here, other.pid, birth(here, other.pid) or "")
    assert other.wait(10) == -signal.SIGTERM


def test_a_container_that_publishes_the_port_is_named_and_asked_for_its_variables(machine, programs, server):
    programs.add(
        "docker",
        'print("box" if args[0] == "ps" else json.dumps(["OLLAMA_NUM_PARALLEL=2", "OLLAMA_HOST=0.0.0.0"]))',
    )
    here = machine()
    engine = EngineSettings(name="ollama", kind="ollama", url=f"http://127.0.0.1:{server}")
    program = find_program(here, "ollama", engine.url)
    assert (program.started_by, program.container) == ("container", "docker box")
    wanted = wanted_settings(engine, ())
    rows = {row.name: row for row in drift(wanted, found_settings(here, program, wanted))}
    assert (rows["OLLAMA_NUM_PARALLEL"].found, rows["OLLAMA_NUM_PARALLEL"].state) == ("2", "drift")
    assert rows["OLLAMA_HOST"].state == "unknown"
    refused, kept = plan_start(here, engine, program, wanted), plan_stop(here, engine, program, foreign=True)
    assert isinstance(refused, HeadgateError)
    assert "container box" in refused.message
    assert isinstance(kept, HeadgateError)
    assert kept.hint == "docker stop box stops it"


@pytest.mark.parametrize(
    ("fragment", "user", "place"),
    [
        ("/etc/systemd/system/ollama.service", False, "/etc/systemd/system/ollama.service.d/headgate.conf"),
        (
            "/usr/lib/systemd/system/ollama.service",
            False,
            "ROOT/etc/systemd/system/ollama.service.d/headgate.conf",
        ),
        (
            "/usr/lib/systemd/user/ollama.service",
            True,
            "HOME/.config/systemd/user/ollama.service.d/headgate.conf",
        ),
    ],
)
def test_a_drop_in_lies_where_updates_of_packages_leave_it_alone(machine, fragment, user, place):
    here = machine()
    unit = Unit(name="ollama.service", user=user, active=True, fragment=fragment)
    wanted = place.replace("ROOT", str(here.root)).replace("HOME", str(here.home))
    assert str(unit.ours(here)) == wanted


@pytest.mark.parametrize(
    ("kind", "system", "linux", "command"),
    [
        ("ollama", "linux", "debian", "curl -fsSL https://ollama.com/install.sh | sh"),
        ("ollama", "linux", "arch", "sudo pacman -S ollama"),
        ("ollama", "linux", "nixos", "nix profile install nixpkgs#ollama"),
        ("ollama", "darwin", "", "brew install ollama"),
        ("ollama", "windows", "", "winget install Ollama.Ollama"),
        ("lmstudio", "linux", "arch", "curl -fsSL https://lmstudio.ai/install.sh | bash"),
        ("lmstudio", "darwin", "", "brew install --cask lm-studio"),
        ("lmstudio", "windows", "", "winget install ElementLabs.LMStudio"),
        ("vllm", "windows", "", ""),
    ],
)
def test_each_system_has_its_makers_command(kind, system, linux, command):
    assert install_command(kind, system, linux) == command


def test_the_distribution_is_the_one_that_the_system_names(machine):
    here = machine()
    assert distribution(here) == ""
    (here.root / "etc").mkdir()
    (here.root / "etc/os-release").write_text('NAME="NixOS"\nID="nixos"\n')
    assert distribution(here) == "nixos"


def test_a_program_that_hangs_or_is_none_is_no_error(machine, programs):
    programs.add("slow", "signal.pause()")
    (programs.folder / "broken").write_bytes(b"\x7fELF")
    (programs.folder / "broken").chmod(0o755)
    here = machine()
    assert here.run(["slow"], 0.5).code is None
    assert "0.5 seconds" in here.run(["slow"], 0.5).why
    assert here.run([str(programs.folder / "broken")]).code is None
    assert here.run(["nowhere"]).code is None


def test_an_empty_machine_has_none_of_the_four(machine):
    found = find_programs(machine(), dict.fromkeys(COMMANDS, "http://127.0.0.1:9"))
    assert [one.kind for one in found] == list(COMMANDS)
    assert not any(one.installed or one.running for one in found)


def mac(machine, programs, *, running):
    for name in ("launchctl", "osascript", "open", "lsof"):
        programs.add(name)
    here = machine("darwin")
    app = here.root / "Applications/Ollama.app"
    (app / "Contents/Resources").mkdir(parents=True, exist_ok=True)
    program = find_program(here, "ollama", "http://127.0.0.1:9")
    assert program.app == str(app)
    if running:
        return here, Program(
            kind="ollama", installed=True, app=program.app, url=program.url, answer="up", started_by="app"
        )
    return here, program


@pytest.mark.parametrize("running", [True, False])
def test_on_macos_the_session_gets_variables_and_undo_gives_the_old_ones_back(machine, programs, running):
    here, program = mac(machine, programs, running=running)
    programs.set("launchd", OLLAMA_NUM_PARALLEL="2", OTHER="x")
    wanted = wanted_settings(OLLAMA, ())
    change = plan_start(here, OLLAMA, program, wanted)
    assert isinstance(change, Change)
    assert change.way == "launchctl"
    assert assign(change.way, change.variables[0])[:2] == ("launchctl", "setenv")
    assert any("log out" in note for note in change.notes)
    assert changes_made.apply(here, change) is None
    state = programs.state("launchd")
    assert (state["OLLAMA_NUM_PARALLEL"], state["OLLAMA_NO_CLOUD"], state["OTHER"]) == ("4", "1", "x")
    quits, opens = "osascript -e 'quit app \"Ollama\"'", f"open -a {program.app}"
    assert programs.calls("osascript", "open") == ([quits, opens] if running else [opens])
    rows = drift(wanted, found_settings(here, program, wanted))
    assert {row.state for row in rows} == {"ok"}
    back = plan_undo(here, "ollama")
    assert isinstance(back, Change)
    assert changes_made.undo(here, back) is None
    assert programs.state("launchd") == {"OLLAMA_NUM_PARALLEL": "2", "OTHER": "x"}
    assert programs.calls("osascript", "open")[-1] == (opens if running else quits)
    assert plan_undo(here, "ollama") is None


def test_a_variable_that_somebody_else_has_set_since_is_left_alone(machine, programs):
    here, program = mac(machine, programs, running=False)
    change = plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ()))
    assert changes_made.apply(here, change) is None
    programs.set("launchd", **{**programs.state("launchd"), "OLLAMA_NUM_PARALLEL": "9"})
    refused = plan_undo(here, "ollama")
    assert isinstance(refused, HeadgateError)
    assert "OLLAMA_NUM_PARALLEL was changed by somebody else" in refused.message


def test_on_windows_the_users_variables_are_set_and_taken_back(machine, programs, tmp_path):
    for name in ("setx", "reg", "taskkill", "cmd", "tasklist"):
        programs.add(name)
    local = tmp_path / "local"
    app = local / "Programs/Ollama/ollama app.exe"
    app.parent.mkdir(parents=True)
    app.touch()
    here = machine("windows", LOCALAPPDATA=str(local))
    programs.set("registry", OLLAMA_KEEP_ALIVE="1h")
    program = find_program(here, "ollama", "http://127.0.0.1:9")
    assert program.app == str(app)
    change = plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ()))
    assert isinstance(change, Change)
    assert change.way == "setx"
    assert changes_made.apply(here, change) is None
    assert programs.state("registry")["OLLAMA_NUM_PARALLEL"] == "4"
    assert programs.calls("cmd", "taskkill") == [f"cmd /c start '' '{app}'"]
    assert changes_made.undo(here, plan_undo(here, "ollama")) is None
    assert programs.state("registry") == {"OLLAMA_KEEP_ALIVE": "1h"}


def test_a_journal_that_cannot_be_read_is_no_journal(machine):
    here = machine()
    (here.data / "engines").mkdir(parents=True)
    (here.data / "engines/ollama.json").write_text(json.dumps({"engine": "ollama"}))
    assert plan_undo(here, "ollama") is None
    (here.data / "engines/ollama.json").write_text("{")
    assert plan_undo(here, "ollama") is None


def test_a_data_folder_that_cannot_be_written_stops_everything_before_it_begins(machine, programs):
    here, program = mac(machine, programs, running=False)
    here.data.write_text("in the way")
    error = changes_made.apply(here, plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ())))
    assert isinstance(error, HeadgateError)
    assert "HEADGATE_DATA" in error.hint
    assert programs.calls("launchctl", "open") == []


def test_a_change_that_fails_half_way_gives_every_variable_its_old_value_back(machine, programs):
    here, program = mac(machine, programs, running=False)
    programs.set("launchd", OLLAMA_HOST="0.0.0.0")
    programs.add("open", "sys.exit('no application')")
    error = changes_made.apply(here, plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ())))
    assert isinstance(error, HeadgateError)
    assert "no application; what was changed is taken back" in error.message
    assert programs.state("launchd") == {"OLLAMA_HOST": "0.0.0.0"}
    assert plan_undo(here, "ollama") is None


def test_an_undo_that_was_stopped_half_way_goes_on_where_it_was(machine, programs):
    here, program = mac(machine, programs, running=False)
    assert changes_made.apply(here, plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ()))) is None
    state = programs.state("launchd")
    del state["OLLAMA_HOST"]
    programs.set("launchd", **state)
    back = plan_undo(here, "ollama")
    assert isinstance(back, Change)
    assert "OLLAMA_HOST" not in {one.name for one in back.variables}
    assert changes_made.undo(here, back) is None
    assert programs.state("launchd") == {}


def test_ollama_that_runs_on_windows_is_restarted_with_its_variables(machine, programs, tmp_path):
    for name in ("setx", "reg", "taskkill", "cmd"):
        programs.add(name)
    here = machine("windows", LOCALAPPDATA=str(tmp_path))
    program = Program(kind="ollama", installed=True, app="ollama app.exe", url=OLLAMA.url, answer="up")
    assert changes_made.apply(here, plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ()))) is None
    ends = ["taskkill /F /IM 'ollama app.exe'", "taskkill /F /IM ollama.exe"]
    assert programs.calls("taskkill", "cmd") == [*ends, "cmd /c start '' 'ollama app.exe'"]


def test_a_drop_in_that_cannot_be_read_is_not_written_over(machine):
    here = machine()
    fragment = here.home / "ollama.service"
    unit = Unit(name="ollama.service", user=False, active=True, fragment=str(fragment))
    place = unit.ours(here)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"[Service]\n# \xff\n")
    program = Program(kind="ollama", installed=True, url=OLLAMA.url, answer="down", unit=unit)
    error = plan_start(here, OLLAMA, program, wanted_settings(OLLAMA, ()))
    assert isinstance(error, HeadgateError)
    assert "cannot be read" in error.message


def test_lm_studio_that_other_machines_reach_is_bound_to_this_one(machine, programs):
    programs.add("lms")
    studio = EngineSettings(name="lmstudio", kind="lmstudio", url="http://127.0.0.1:1234")
    program = Program(
        kind="lmstudio",
        installed=True,
        command=str(programs.folder / "lms"),
        url=studio.url,
        answer="up",
        addresses=("0.0.0.0",),
    )
    here = machine()
    wanted = wanted_settings(studio, ())
    rows = {row.name: row for row in drift(wanted, found_settings(here, program, wanted))}
    assert (rows["bind"].found, rows["bind"].state) == ("0.0.0.0", "drift")
    change = plan_start(here, studio, program, wanted)
    assert isinstance(change, Change)
    assert change.commands[-1][-2:] == ("--bind", "127.0.0.1")
