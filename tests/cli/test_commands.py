"""Every command as a person meets it: data on stdout, talk on stderr, exit codes, and errors with hints."""

import io
import json
import signal
import socket
import urllib.request
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from headgate.cli.log import Listing
from headgate.cli.main import COMMANDS
from headgate.config.load import load_config
from headgate.engines.llamacpp.shipped import shipped_folder
from headgate.reports.story import LogLine
from headgate.testing import Fault

SORT = "Sort this e-mail into one category: billing, technical or escalation.\n\nI was charged twice."


def test_help_lists_every_command_and_each_has_help_json_and_config(shell):
    said = shell("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert f"  {name}" in said.out
        helped = shell(name, "--help")
        assert helped.code == 0
        pages = [helped.out]
        if "Commands:" in helped.out and name != "log":
            lines = helped.out[helped.out.index("Commands:") :].splitlines()[1:]
            pages = [shell(name, line.split()[0], "--help").out for line in lines if line.strip()]
        for page in pages:
            assert "--json" in page
            assert "--config" in page


def test_a_newcomer_is_told_what_to_type_next(shell):
    said = shell()
    assert said.code == 0
    assert "headgate demo" in said.out
    assert "headgate init" in said.out
    shell("init", "--yes")
    assert "headgate doctor" in shell().out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("rout",), 2, ["did you mean `headgate route`?"]),
        (("route", "--tsk", "x"), 2, ["--tsk", "headgate route --help"]),
        (("route", "--task", "coding", "x"), 2, ['there is no task "coding"', 'did you mean "code"?']),
        (("route", "--model", "claud", "x"), 2, ['did you mean "claude"?']),
        (("route", "--model", "auto:nonsense", "x"), 2, ['there is no task "nonsense"']),
        (("route",), 2, ["there is no prompt"]),
        (("route", "-f", "nope.txt"), 2, ["nope.txt", "No such file"]),
        (("route", "--config", "nope.toml", "x"), 3, ["there is no file", "headgate init"]),
        (("config", "check", "--config", "bad.toml"), 3, ["bad.toml, line 1", "texts need quotes"]),
        (("report", "--week", "2026-W99"), 2, ["there is no week 2026-W99"]),
        (("report", "--week", "9999-W52"), 2, ["there is no week 9999-W52"]),
        (("report", "--week", "0001-W01"), 2, ["there is no week 0001-W01"]),
        (("route", "caf\udce9"), 2, ["not UTF-8"]),
        (("ledger", "import", "week.csv"), 2, ["week.csv has no lines of JSON", "export FILE.jsonl"]),
        (("report",), 1, ["there is no ledger", "headgate up"]),
        (("replay", "--since", "20", "--until", "10"), 2, ["--until is not after --since"]),
        (
            ("ledger", "export", "a.csv", "--since", "2026-11-30", "--until", "2026-11-01"),
            2,
            ["--until is not after --since"],
        ),
        (
            ("ledger", "reprice", "--as-of", "2026-11-23", "--since", "2026-11-30", "--until", "2026-11-01"),
            2,
            ["--until is not after --since"],
        ),
        (("log", "--status", "fine"), 2, ['there is no status "fine"']),
        (("log", "show", "last"), 1, ["there is no ledger"]),
        (("up", "--listen", "nowhere"), 2, ["not a host and a port"]),
        (("up", "--port", "4000"), 2, ["No such option", "headgate up --listen HOST:PORT"]),
        (("engines", "test", "olama"), 2, ['did you mean "ollama"?']),
        (("models", "plan", "--vram", "abc"), 2, ["'abc' is not a number", "headgate models plan --help"]),
        (("models", "plan", "--context", "8k"), 2, ["'8k' is not a whole number"]),
        (("init", "--force", "--yes", "--config", "."), 1, ["cannot be written", "--config"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_gets_an_error_a_hint_and_its_exit_code(shell, args, code, words):
    (shell.home / "bad.toml").write_text("engines = nope\n")
    (shell.home / "week.csv").write_text("id,model\n1,a\n")
    said = shell(*args)
    assert said.code == code
    assert said.out == ""
    assert "error: " in said.err
    assert "\n\nhint: " in said.err
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


@pytest.mark.parametrize("group", ["models", "engines", "config"])
def test_a_group_without_a_verb_shows_its_verbs(shell, group):
    said = shell(group)
    assert (said.code, said.out) == (2, "")
    assert said.err == shell(group, "--help").out


def test_status_says_so_where_no_engine_is_a_program(shell):
    shell("init", "--stack", "toys", "--yes")
    said = shell("engines", "status", PATH="")
    assert said.code == 0
    assert said.out.startswith("no engine of the config is a program that Headgate starts")


def test_route_says_where_a_prompt_would_go_and_why(shell):
    said = shell("route", "--json", SORT)
    told = said.json
    assert said.code == 0
    assert told["task"] == "classification"
    assert told["task_confidence"] > 0.5
    assert told["tokens"] > 10
    assert (told["route"], told["chain"], told["skipped"]) == ("labels", ["phi", "phi@32k", "claude"], {})
    assert told["estimated_cost_usd"] == 0
    assert told["baseline_cost_usd"] > 0
    assert told["labels"] == ["billing", "technical", "escalation"]
    long = shell("route", "--json", "-", stdin="Compare these plans and decide. " * 690).json
    assert (long["route"], long["chain"], long["tokens_exact"]) == ("long", ["claude"], True)
    local = shell("route", "--json", "--local", SORT).json
    assert local["chain"] == ["phi", "phi@32k"]
    assert local["skipped"] == {"claude": "privacy"}
    by_name = shell("route", "--json", "--model", "claude", "hi").json
    assert (by_name["route"], by_name["chain"]) == ("asked for by name", ["claude"])
    text = shell("route", SORT)
    assert "the task is classification" in text.out
    assert "phi" in text.out


def test_route_says_where_texts_to_embed_would_go(shell):
    shell("init", "--yes")
    told = shell("route", "--json", "--task", "embedding", "some text").json
    assert (told["kind"], told["task"], told["task_by"]) == ("embedding", "embedding", "caller")
    assert (told["route"], told["chain"], told["checks"]) == ("embeddings", ["nomic"], [])
    assert (told["estimated_cost_usd"], told["baseline_cost_usd"]) == (0, None)
    assert shell("route", "--json", "--model", "nomic", "x").json["route"] == "asked for by name"
    assert "baseline" not in shell("route", "--model", "auto:embedding", "x").out
    page = shell.home / "headgate.toml"
    page.write_text(page.read_text().replace('kind = "embedding"', ""))
    refused = shell("route", "--task", "embedding", "x")
    assert refused.code == 2
    assert "no model makes embeddings" in refused.err


def test_ask_answers_from_home_and_can_explain_itself(world):
    said = world.shell("ask", "--explain", "How are you?")
    assert (said.code, said.out) == (0, "A fine answer from home.\n")
    assert "llama" in said.err
    told = world.shell("ask", "--json", "-", stdin="How are you?").json
    assert told["answer"] == "A fine answer from home."
    assert len(world.shell("log", "--json").out.splitlines()) == 2


def test_ask_hands_on_how_freely_and_how_long_to_answer(world):
    assert world.shell("ask", "--temperature", "0.2", "--max-tokens", "40", "How are you?").code == 0
    options = next(call for call in reversed(world.ollama.calls) if call.path == "/api/chat").json["options"]
    assert (options["temperature"], options["num_predict"]) == (0.2, 40)
    assert world.shell("ask", "--temperature", "9", "How are you?").code == 2


def test_ask_without_any_engine_fails_with_code_4(world):
    world.ollama.inject(Fault.refuse())
    world.claude.inject(Fault.refuse())
    said = world.shell("ask", "How are you?")
    assert said.code == 4
    assert "no model gave an answer" in said.err
    assert "headgate doctor" in said.err


def test_models_and_engines_are_listed_and_tested(world):
    models = {row["name"]: row for row in world.shell("models", "list", "--json").json["models"]}
    assert models["llama"]["there"]
    assert models["claude"]["input_usd_per_mtok"] == 2.0
    assert "llama3.1:8b" in world.shell("models", "list").out
    tested = world.shell("engines", "test", "--json")
    assert tested.code == 0
    assert [row["model"] for row in tested.json["results"]] == ["llama"]
    assert "--paid" in world.shell("engines", "test").err
    assert not [call for call in world.claude.calls if call.path == "/v1/messages"]
    world.ollama.inject(Fault.refuse())
    assert world.shell("engines", "test").code == 4


def test_init_writes_a_page_that_the_gate_accepts_and_never_overwrites_one(shell):
    """On whatever machine this runs; tests/cli/test_init.py describes its machines."""
    said = shell("init", "--yes")
    assert said.code == 0, said.err
    assert "headgate models pull" in said.err
    assert shell("config", "check").code == 0
    page = (shell.home / "headgate.toml").read_text()
    assert page.count("[[routes]]") == 5
    again = shell("init", "--yes")
    assert again.code == 2
    assert "--force" in again.err
    openai = shell("init", "--yes", "--force", OPENAI_API_KEY="sk-x")
    assert openai.code == 0
    chain = shell("route", "--json", "--task", "code", "x", OPENAI_API_KEY="sk-x").json["chain"]
    assert chain[-1] == "gpt"
    assert "sk-x" not in (shell.home / "headgate.toml").read_text()


def test_config_shows_itself_without_secrets(world):
    shown = world.shell("config", "show", "--json", TEST_KEY="sk-very-secret")
    assert shown.json["engines"]["anthropic"]["key"] == "set"
    assert "sk-very-secret" not in shown.out
    assert "sk-very-secret" not in world.shell("config", "show", TEST_KEY="sk-very-secret").out
    assert world.shell("config", "path").out.strip() == str(world.shell.home / "headgate.toml")
    assert "properties" in world.shell("config", "schema").out


def call(url: str, text: str) -> dict[str, str]:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(url + "/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return dict(response.headers)


def health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + "/healthz", timeout=20) as response:
        return json.load(response)


def test_up_and_down_in_the_background_and_what_the_log_tells(world):
    shell = world.shell
    opened = shell("up", "-d", "--json")
    assert opened.code == 0, opened.err
    try:
        url = opened.json["url"]
        again = shell("up", "-d")
        assert again.code == 2
        assert "headgate down" in again.err
        headers = call(url, "How are you?")
        assert f"open at {url}" in shell().out
    finally:
        closed = shell("down", "--json")
    assert closed.json["closed"]
    assert shell("down").code == 0
    story = shell("log", "show", headers["x-headgate-request-id"])
    for word in ("answered", "SIGNALS", "CANDIDATES", "llama", "gpt-4o"):
        assert word.lower() in story.out.lower()
    told = shell("log", "show", "last", "--json").json
    assert told["id"] == headers["x-headgate-request-id"]
    report = shell("report")
    assert "WEEKLY ROUTING SUMMARY" in report.out
    assert "Total requests:  1" in report.out
    assert "llama3.1 (Ollama)" in report.out
    week = shell("report", "--json").json
    shell("report", "--out", "reports")
    assert len(list((shell.home / "reports").glob("routing-report-*-week-*.log"))) == 1
    assert json.dumps(week)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_a_gate_knows_its_prices_and_does_not_keep_the_list(world):
    gate = world.shell.start("up", "--json")
    url = json.loads(gate.stdout.readline())["url"]
    call(url, "Say it again. " * 2000)
    loaded = Path(f"/proc/{gate.pid}/maps").read_text()
    children = Path(f"/proc/{gate.pid}/task/{gate.pid}/children").read_text()
    gate.send_signal(signal.SIGTERM)
    gate.communicate(timeout=20)
    row = world.shell("log", "--json", "-n", "1").json
    assert (row["model"], row["cost"] > 0) == ("claude", True)
    assert "sqlite" in loaded
    assert "pydantic" not in loaded, "the library of the list, in the gate"
    assert not children


def test_a_gate_that_opens_says_which_engines_are_up_and_which_it_has_not_asked(world):
    gate = world.shell.start("up")
    said = ""
    while "Ctrl-C closes it" not in said:
        line = gate.stderr.readline()
        assert line, said
        said += line
    gate.send_signal(signal.SIGTERM)
    gate.communicate(timeout=20)
    states = {
        line.split()[0]: " ".join(line.split()[1:-1]) for line in said.splitlines() if line.startswith("  ")
    }
    assert states == {"ollama": "up", "anthropic": "ready to be asked"}


def test_a_port_in_use_is_said_to_be_so(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = world.shell("up", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert said.code == 2
    assert "Address already in use" in said.err


def test_a_gate_killed_in_the_middle_of_its_work_loses_next_to_nothing_and_says_so(world):
    shell = world.shell
    gate = shell.start("up", "--json")
    assert gate.stdout is not None
    url = json.loads(gate.stdout.readline())["url"]
    sent = 0
    while health(url)["ledger"]["written"] < 20:
        for _ in range(5):
            last = call(url, "How are you?")
            sent += 1
    gate.send_signal(signal.SIGKILL)
    gate.communicate(timeout=10)
    rows = [json.loads(line) for line in shell("log", "--json", "-n", "1000").out.splitlines()]
    assert 20 <= len(rows) <= sent
    second = shell.start("up", "--json")
    assert second.stdout is not None
    opened = json.loads(second.stdout.readline())
    second.send_signal(signal.SIGTERM)
    _, talk = second.communicate(timeout=20)
    assert second.returncode == 0, talk
    assert "closed; 0 requests written, 0 lost" in talk
    notes = " ".join(opened["notes"])
    assert "ended without closing" in notes
    assert "sound" in notes
    assert last["x-headgate-model"] == "llama"


def test_a_ledger_from_a_newer_version_is_left_alone(world):
    import sqlite3

    path = world.shell.home / "new.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
        db.execute("CREATE TABLE x (y)")
    before = path.read_bytes()
    page = (world.shell.home / "headgate.toml").read_text().replace("[ledger]", f'[ledger]\npath = "{path}"')
    world.shell.write(page)
    said = world.shell("ask", "hi")
    assert said.code == 1
    assert "hint: " in said.err
    assert path.read_bytes() == before
    assert world.shell("log").code == 1


def test_a_gguf_that_is_not_one_is_said_to_be_so(shell):
    pytest.importorskip("xllamacpp")
    bad = shell.home / "not.gguf"
    bad.write_text("hello")
    shell.write(
        f'[engines.own]\nkind = "llamacpp"\n[models.m]\nengine = "own"\nid = "{bad}"\n[[routes]]\nname = "all"\ntry = ["m"]\n'
    )
    said = shell("ask", "hi")
    assert said.code == 4
    assert "not.gguf" in said.err
    assert "GGUF" in said.err


def test_output_off_a_terminal_has_no_colour_and_asks_nothing(world):
    for args in (("models", "list"), ("log",), ("doctor",), ("report",)):
        assert "\x1b[" not in world.shell(*args, TERM="xterm-256color").out
    Path(world.shell.home / "headgate.toml").unlink()
    assert world.shell("init").code == 0
    assert (world.shell.home / "headgate.toml").exists()


def test_down_never_ends_a_process_that_is_not_a_gate(shell):
    import subprocess

    innocent = subprocess.Popen(["sleep", "60"])
    try:
        data = shell.home / ".local/share/headgate"
        data.mkdir(parents=True)
        (data / "run.json").write_text(
            json.dumps({"pid": innocent.pid, "url": "http://127.0.0.1:9", "started": 1.0})
        )
        assert "no gate is open" in shell("down").err
        assert "closed" in shell().out
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_second_gate_leaves_the_first_one_to_be_found(world):
    shell = world.shell
    first = shell("up", "-d", "--json").json
    try:
        second = shell.start("up", "--json", "--listen", "127.0.0.1:0")
        assert second.stdout is not None
        json.loads(second.stdout.readline())
        second.send_signal(signal.SIGTERM)
        _, talk = second.communicate(timeout=20)
        assert "another gate is open" in talk
        assert first["url"] in shell().out
    finally:
        assert shell("down", "--json").json["pid"] == first["pid"]


def test_places_that_cannot_be_written_are_named_without_a_traceback(world):
    (world.shell.home / "file").write_text("x")
    for args in (("report", "--out", "file/reports"), ("init", "--config", "file/headgate.toml")):
        world.shell("ask", "hi")
        said = world.shell(*args)
        assert said.code == 1
        assert "Traceback" not in said.err
        assert "file" in said.err


MODEL = "qwen2.5-coder [stand-in]"
NOON = datetime(2026, 5, 4, 12, 30, 15).astimezone()
TODAY = NOON.date()


def log_line(number: int, **other: Any) -> LogLine:
    """A request of that noon, its cells as wide as they come in earnest."""
    told: dict[str, Any] = {
        "id": f"019d35d1db9{number:08x}",
        "received": NOON.timestamp(),
        "task": "classification",
        "route": "a route with quite a long name",
        "model": MODEL,
        "status": "imperfect",
        "fallback": "Token count > 4000",
        "attempts": 3,
        "tokens_in": 123_456,
        "tokens_out": 4_096,
        "exact": False,
        "seconds": 12.345,
        "first_token": None,
        "cost": 0.012345,
        "saved": None,
    }
    return LogLine(**told | other)


def screen_of(width: int) -> Console:
    return Console(width=width, file=io.StringIO(), markup=False, highlight=False)


def listed(width: int, lines: list[LogLine], *, terminal: bool = True, today: date = TODAY) -> str:
    screen = screen_of(width)
    Listing(screen, lines, today, None, terminal=terminal).show(lines, header=True)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140, 200])
def test_a_terminal_of_any_width_shows_figures_ids_and_models_in_full(width):
    said = listed(width, [log_line(1), log_line(2)])
    for row, last in zip(said.splitlines()[2:], "12", strict=True):
        words = row.split()
        assert words[0] == "12:30:15"
        assert words[1] == f"019d35d1db90000000{last}"
        assert MODEL in row
        assert "12,345 " in row
        assert "$0.012345" in row
        assert ("123,456+4,096~" in row) == (width >= 110)
    assert ("route" in said) == (width >= 140)
    assert ("fallb" in said) == (width >= 110)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_plain_request_fits_the_terminal(width):
    said = listed(width, [log_line(1, model="claude [stand-in]")])
    assert all(len(row) <= width for row in said.splitlines())
    assert "019d35d1db90 " in said


def test_rows_of_other_days_have_dates_and_a_file_gets_everything():
    assert "05-04 12:30:15" in listed(80, [log_line(1)], today=date(2026, 5, 5))
    said = listed(240, [log_line(1)], terminal=False)
    for word in ("05-04 12:30:15", "019d35d1db900000001", "a route with quite a long name", "(3 attempts)"):
        assert word in said


@pytest.mark.parametrize("width", [80, 120, 240])
def test_followed_rows_stand_under_their_header(world, width):
    config = load_config(str(world.shell.home / "headgate.toml"), lambda *_: None)
    screen = screen_of(width)
    listing = Listing(screen, [], TODAY, config, terminal=width < 240)
    listing.show([], header=True)
    listing.show([log_line(1, model="llama", seconds=0.001, cost=0.0)])
    listing.show([log_line(2, model="claude", task="code", status="ok")])
    assert isinstance(screen.file, io.StringIO)
    header, _, *rows = screen.file.getvalue().splitlines()
    assert len(rows) == 2
    for row, model, status in zip(rows, ("llama", "claude"), ("imp", "ok"), strict=True):
        assert row.index(model) == header.index("model")
        assert row.index(status, header.index("status")) == header.index("status")
    if width < 240:
        assert all(len(row) <= width for row in (header, *rows))


def test_a_name_that_nobody_knows_is_doubted_and_one_without_rows_is_not(world):
    world.shell("ask", "hi")
    said = world.shell("log", "--model", "claud")
    assert said.code == 0
    assert 'no request was answered by "claud"; did you mean "claude"?' in said.err
    assert 'took the route "lon"; did you mean "long"?' in world.shell("log", "--route", "lon").err
    assert "note:" not in world.shell("log", "--model", "claude").err


def test_a_port_of_a_foreign_program_is_not_blamed_on_a_gate(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        here, behind = world.shell("up", "--listen", address), world.shell("up", "-d", "--listen", address)
    for said in (here, behind):
        assert said.code == 2
        assert said.err.count("error: ") == said.err.count("hint: ") == 1
        assert "headgate down" not in said.err
        assert "listen elsewhere" in said.err
    assert "the gate did not open: cannot listen on" in behind.err


def test_a_gate_that_is_open_at_the_port_is_named_and_notes_of_a_crash_are_told_behind(world):
    shell = world.shell
    first = shell.start("up", "--json")
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.communicate(timeout=20)
    second = shell("up", "-d")
    try:
        assert "note: " in second.err
        assert "ended without closing" in second.err
        url = second.err.partition("open at ")[2].split()[0]
        third = shell("up", "--listen", url.removeprefix("http://"))
        assert third.code == 2
        assert f"a gate is open already at {url} (pid " in third.err
    finally:
        assert shell("down", "--json").json["closed"]


def test_one_of_a_thing_is_not_said_in_the_plural(shell):
    shell.write(
        '[engines.own]\nkind = "llamacpp"\nurl = "http://127.0.0.1:9"\n'
        '[models.m]\nengine = "own"\nid = "m"\n[[routes]]\nname = "all"\ntry = ["m"]\n'
    )
    assert "is right: 1 engine, 1 model, 1 route\n" in shell("config", "check").out
    assert shell("doctor").out.splitlines()[-1].startswith("1 check of ")
    header, _, row = shell("engines", "list").out.splitlines()
    assert header.split() == ["engine", "kind", "where", "state"]
    assert row.index("down") == header.index("state")


def test_doctor_says_what_is_wrong_with_the_file_of_an_embedded_model(shell):
    pytest.importorskip("xllamacpp")
    shipped = (shipped_folder() / "headgate-nano.gguf").read_bytes()
    (shell.home / "text.gguf").write_text("hello")
    (shell.home / "cut.gguf").write_bytes(shipped[: len(shipped) * 2 // 3])
    models = {"text": shell.home / "text.gguf", "cut": shell.home / "cut.gguf", "nano": "headgate-nano"}
    page = '[engines.own]\nkind = "llamacpp"\n[[routes]]\nname = "all"\ntry = ["text", "cut", "nano"]\n'
    page += "".join(f'[models.{name}]\nengine = "own"\nid = "{path}"\n' for name, path in models.items())
    shell.write(page)
    found = {check["name"]: check for check in shell("doctor", "--deep", "--json").json["checks"]}
    assert found["engine own"]["state"] == "ok"
    assert {found[f"{check} nano"]["state"] for check in ("model", "load", "context")} == {"ok"}
    assert found["model text"]["state"] == "FAIL"
    assert "text.gguf" in found["model text"]["found"]
    assert "download" in found["model text"]["fix"]
    assert found["load cut"]["state"] == "FAIL"
    assert "cut.gguf could not be loaded" in found["load cut"]["found"]
    assert "download" in found["load cut"]["fix"]
    tested = shell("engines", "test")
    assert tested.code == 4
    assert "pip install" not in tested.err
