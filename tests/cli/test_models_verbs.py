"""`headgate models`: every verb as a person meets it, against doubles of Ollama and LM Studio."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.testing import AnthropicDouble, Fault, LMStudioDouble, OllamaDouble, ServedModel
from headgate.testing.downloads import PullTrouble

SCREENS = Path(__file__).parent.parent / "data" / "screens"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
GIB = 1 << 30
QWEN = "qwen3:4b"

PAGE = """
[engines.ollama]
kind = "ollama"
url = "{ollama}"

[engines.lmstudio]
kind = "lmstudio"
url = "{lmstudio}"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192

[models.nomic]
engine = "ollama"
id = "nomic-embed-text"
kind = "embedding"

[models.phi]
engine = "lmstudio"
id = "phi-3-mini-128k-instruct"
context = 4096

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "all"
try = ["llama", "phi", "claude"]
"""


@pytest.fixture
def ollama():
    library = {QWEN: ServedModel(size=2_600_000_000), "huge:1000b": ServedModel(size=10**15)}
    with OllamaDouble(library=library, vram=24 * GIB).in_thread() as double:
        yield double


@pytest.fixture
def lmstudio():
    models = {"phi-3-mini-128k-instruct": ServedModel(context=131_072, parameters="3.8B", size=2_400_000_000)}
    with LMStudioDouble(models).in_thread() as double:
        yield double


@pytest.fixture
def run(shell, ollama, lmstudio):
    with AnthropicDouble().in_thread() as claude:
        shell.write(PAGE.format(ollama=ollama.url, lmstudio=lmstudio.url, claude=claude.url))
        (shell.home / ".ollama" / "models").mkdir(parents=True)

        def run(*args, **more):
            return shell("models", *args, **more)

        run.shell = shell
        yield run


def on_a_terminal(shell, *args, typed="", columns=100):
    """The command on a terminal of fixed width: its exit code, and all that it wrote there."""
    ours, its = pty.openpty()
    env = shell.env | {"COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "headgate", *args]
    child = subprocess.Popen(command, cwd=shell.home, env=env, stdin=its, stdout=its, stderr=its)
    os.close(its)
    os.write(ours, typed.encode())
    seen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return child.wait(), ESCAPES.sub("", seen.decode().replace("\r\n", "\n"))


def screen(name, text):
    """Compare with the kept screen; HEADGATE_WRITE_SCREENS=1 keeps this one instead."""
    kept = SCREENS / f"{name}.txt"
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if os.environ.get("HEADGATE_WRITE_SCREENS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text)
    assert text == kept.read_text()


# ── list, show, ps ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_the_configs_models_and_what_else_the_engines_have(run):
    told = run("list", "--json").json
    rows = {row["name"]: row for row in told["models"]}
    assert list(rows) == ["llama", "nomic", "phi", "claude"]
    assert (rows["llama"]["there"], rows["llama"]["loaded"]) == (True, False)
    assert (rows["llama"]["size"], rows["llama"]["quantization"]) == (4_920_753_328, "Q4_K_M")
    assert len(rows["llama"]["digest"]) == 64
    assert rows["phi"]["parameters"] == "3.8B"
    assert rows["claude"]["loaded"] is None
    assert [(row["engine"], row["id"]) for row in told["others"]] == [("ollama", "qwen2.5-coder:7b")]
    said = run("list")
    assert "no name in the config" in said.err
    code, text = on_a_terminal(run.shell, "models", "list")
    assert code == 0
    screen("models_list", text)


def test_a_terminal_too_narrow_for_the_table_gets_a_line_for_each_figure(run):
    code, text = on_a_terminal(run.shell, "models", "list", columns=60)
    assert code == 0
    first = text.partition("\n\n")[0].splitlines()
    assert [line.split() for line in first[:3]] == [
        ["model", "llama"],
        ["engine", "ollama"],
        ["id", "llama3.1:8b"],
    ]
    assert all(row["name"] in text for row in run("list", "--json").json["models"])
    assert "…" not in text
    assert max(map(len, text.partition("\nnote: ")[0].splitlines())) <= 60


def test_list_says_which_engine_did_not_tell_what_it_has(run, ollama):
    ollama.inject(Fault.refuse(), times=None, path="/api/version")
    said = run("list")
    assert said.code == 0
    assert "note: ollama does not say what it has: " in said.err


def test_show_tells_the_file_the_shape_and_what_is_in_memory(run):
    run("load", "llama")
    told = run("show", "llama", "--json").json
    assert told["shape"]["layers"] == 32
    assert told["config"]["context"] == 8192
    assert [one["context"] for one in told["loaded"]] == [8192]
    text = run("show", "llama").out
    assert told["need"]["parallel"] == 4
    assert told["need"]["kv"] == 4 * GIB
    for words in ("4.9 GB", "131,072 tokens at most", "4 x 8,192 tokens", "5.6 GiB, 100% on a GPU"):
        assert words in text
    assert "LM Studio does not say" in run("show", "phi").out
    other = run("show", "qwen2.5-coder:7b", "--engine", "ollama")
    assert "not named in the config" in other.out


def test_ps_shows_what_is_in_memory_on_every_engine(run):
    assert run("ps").out == "nothing is loaded\n"
    for name in ("llama", "nomic", "phi"):
        assert run("load", name).code == 0
    code, text = on_a_terminal(run.shell, "models", "ps")
    assert code == 0
    screen("models_ps", text)
    engines = {one["engine"]: one for one in run("ps", "--json").json["engines"]}
    llama = next(row for row in engines["ollama"]["loaded"] if row["models"] == ["llama"])
    assert (llama["context"], llama["memory"], llama["vram"]) == (8192, 5_994_495_152, 5_994_495_152)
    assert engines["lmstudio"]["loaded"][0]["memory"] is None


def test_ps_goes_on_without_an_engine_that_is_down_and_fails_without_all(run, ollama, lmstudio):
    ollama.inject(Fault.refuse())
    said = run("ps")
    assert said.code == 0
    assert "note: ollama does not answer" in said.err
    lmstudio.inject(Fault.refuse())
    said = run("ps", "--json")
    assert said.code == 4
    assert [one["loaded"] for one in said.json["engines"]] == [None, None]
    assert "hint: headgate engines start ollama" in said.err
    assert said.err.count("ollama does not answer") == 1


# ── load and unload ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_load_takes_the_configs_window_and_says_what_it_came_to(run, ollama):
    said = run("load", "llama")
    assert said.code == 0
    assert said.out.startswith("llama3.1:8b is loaded on ollama in ")
    for words in ("8,192 tokens of context", "5.6 GiB of memory", "100% of it on a GPU", "stays until"):
        assert words in said.out
    told = run("load", "llama", "--context", "16384", "--json").json
    assert told["loaded"]["context"] == 16_384
    assert told["seconds"] >= 0
    assert ollama.loads == [("llama3.1:8b", 8192), ("llama3.1:8b", 16_384)]


def test_a_number_at_a_time_that_ollama_keeps_to_itself_is_not_passed_over_in_silence(run):
    said = run("load", "llama", "--parallel", "3")
    assert said.code == 0
    assert "--parallel changed nothing: set parallel under [engines.ollama]" in said.err
    assert "--parallel" not in run("load", "llama").err


def test_a_model_that_is_missing_is_no_engine_that_is_down(run, ollama):
    del ollama.models["llama3.1:8b"]
    said = run.shell("engines", "test", "ollama", "--json")
    assert said.code == 4
    assert {row["hint"] for row in said.json["results"] if not row["ok"]} == {
        "headgate models list shows what is there"
    }
    assert "hint: headgate models list" in said.err


def test_unload_takes_it_out_of_memory_and_says_if_it_was_not_there(run, ollama):
    run("load", "nomic")
    assert run("unload", "nomic").out == "nomic-embed-text is unloaded from ollama\n"
    assert ollama.running() == []
    assert run("unload", "nomic").out == "nomic-embed-text was not loaded on ollama\n"
    run("load", "phi")
    assert run("unload", "phi", "--json").json["was_loaded"] is True


# ── pull and rm ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pull_says_what_it_will_do_and_does_nothing_that_nobody_said_yes_to(run, ollama):
    said = run("pull", QWEN, "--engine", "ollama")
    assert said.code == 2
    assert f"{QWEN} for ollama: about 2.5 GB; " in said.err
    assert "mystery for ollama: ollama says its size once" in run("pull", "mystery", "--engine", "ollama").err
    assert "free in " in said.err
    assert f"hint: headgate models pull {QWEN} --engine ollama --yes" in said.err
    code, text = on_a_terminal(run.shell, "models", "pull", QWEN, "--engine", "ollama", typed="n\n")
    assert code == 130
    assert "download it? [y/N]" in text
    assert not [call for call in ollama.calls if call.path == "/api/pull"]


def test_pull_on_a_terminal_asks_and_fetches(run, ollama):
    code, text = on_a_terminal(run.shell, "models", "pull", QWEN, "--engine", "ollama", typed="y\n")
    assert code == 0
    assert f"{QWEN} is there on ollama, whole and checked: 2.6 GB in " in text
    assert QWEN in ollama.models


def test_pull_in_a_script_says_each_step_once(run):
    said = run("pull", QWEN, "--engine", "ollama", "--yes")
    assert said.code == 0
    assert said.out.startswith(f"{QWEN} is there on ollama")
    assert said.err.count("verifying sha256 digest") == 1
    assert "\x1b" not in said.err
    again = run("pull", QWEN, "--engine", "ollama", "--yes")
    assert "it is there already (2.6 GB)" in again.err


def test_pull_tells_programs_one_event_a_line(run):
    said = run("pull", QWEN, "--engine", "ollama", "--yes", "--json")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["start", "done"]
    progress = [event for event in events if event["event"] == "progress"]
    assert {event["step"] for event in progress} >= {"pulling manifest", "downloading", "success"}
    assert progress[-1]["completed"] == progress[-1]["total"] == events[-1]["size"] == 2_600_000_000


def test_a_pull_that_breaks_off_says_so_and_goes_on_next_time(run, ollama):
    ollama.break_pull(QWEN, PullTrouble.CUT)
    said = run("pull", QWEN, "--engine", "ollama", "--yes", "--json")
    assert said.code == 1
    failed = json.loads(said.out.splitlines()[-1])
    assert failed["event"] == "failed"
    assert failed["error"] in said.err
    assert QWEN not in ollama.models
    said = run("pull", QWEN, "--engine", "ollama", "--yes", "--json")
    assert said.code == 0
    figures = [json.loads(line).get("completed") for line in said.out.splitlines()]
    assert next(figure for figure in figures if figure) >= 1_300_000_000 - 2000


def test_ctrl_c_leaves_nothing_half_done_and_says_so_in_one_line(run, ollama):
    ollama.break_pull(QWEN, PullTrouble.STALL)
    child = run.shell.start("models", "pull", QWEN, "--engine", "ollama", "--yes", "--json")
    for line in child.stdout:
        if json.loads(line).get("step") == "downloading":
            break
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert json.loads(out.splitlines()[-1]) == {"event": "stopped"}
    assert err.splitlines()[-1].startswith("stopped: nothing half done is taken for a model")
    assert "Traceback" not in err
    assert QWEN not in ollama.models
    assert ollama.abandoned == 1


def test_a_model_that_the_disk_cannot_hold_is_not_fetched(run, ollama):
    ollama.break_pull("huge:1000b", PullTrouble.STALL)
    said = run("pull", "huge:1000b", "--engine", "ollama", "--yes")
    assert said.code == 1
    assert "error: huge:1000b needs 1,000 TB, and " in said.err
    assert "free in " in said.err
    assert "hint: make room" in said.err
    assert "huge:1000b" not in ollama.models
    assert ollama.abandoned == 1


def test_a_model_that_is_known_to_be_too_big_is_not_even_begun(run, ollama, monkeypatch, capsys):
    from headgate.cli.main import main

    class Usage:
        free = 1_000_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    page = str(run.shell.home / "headgate.toml")
    with pytest.raises(SystemExit) as stopped:
        main(["models", "pull", QWEN, "--engine", "ollama", "--yes", "--config", page])
    assert stopped.value.code == 1
    assert f"{QWEN} needs 2.5 GB, and 1.0 GB are free in " in capsys.readouterr().err
    assert not [call for call in ollama.calls if call.path == "/api/pull"]


def test_rm_asks_first(run, ollama):
    said = run("rm", "llama")
    assert said.code == 2
    assert "hint: headgate models rm llama --yes" in said.err
    code, text = on_a_terminal(run.shell, "models", "rm", "llama", typed="n\n")
    assert code == 130
    assert "delete llama3.1:8b (4.9 GB) from ollama; the config's model llama needs it? [y/N]" in text
    assert "llama3.1:8b" in ollama.models
    said = run("rm", "llama", "--yes", "--json")
    assert said.json == {"engine": "ollama", "removed": "llama3.1:8b", "bytes": 4_920_753_328}
    assert "llama3.1:8b" not in ollama.models


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "code", "what", "todo"),
    [
        (("load", "lama"), 2, 'there is no model "lama"', 'did you mean "llama"?'),
        (("pull", "zzz", "--yes"), 2, 'there is no model "zzz"', "--engine ollama|lmstudio"),
        (("load", "x", "--engine", "olama"), 2, 'there is no engine "olama"', 'did you mean "ollama"?'),
        (("load", "claude"), 2, "somebody else's machine", "one of the local models: llama, nomic, phi"),
        (("load", "llama", "--context", "0"), 2, "--context", "headgate models load --help"),
        (("load", "llama", "--context", "999999"), 1, "was trained for 131,072", "131072 or less"),
        (("load", "nope", "--engine", "ollama"), 1, "Ollama has no nope", "headgate models pull nope"),
        (("unload", "nope", "--engine", "ollama"), 1, "ollama has no nope", "headgate models pull nope"),
        (("show", "nope", "--engine", "lmstudio"), 1, "lmstudio has no nope", "headgate models list"),
        (("rm", "nope", "--engine", "ollama", "--yes"), 1, "ollama has no nope", "headgate models list"),
        (("rm", "phi", "--yes"), 1, "LM Studio lets no other program delete", "My Models"),
        (("pull", "nope", "--engine", "ollama", "--yes"), 1, "Ollama finds no nope", "catalogue"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_line_of_what_and_one_of_what_to_do(run, args, code, what, todo):
    said = run(*args)
    assert said.code == code, said.err
    assert said.out == ""
    error, hint = said.err.partition("error: ")[2].split("\n\nhint: ")
    assert what in error
    assert todo in hint
    assert "\n" not in error.strip() + hint.strip()


@pytest.mark.parametrize("verb", ["load", "unload", "show", "pull", "rm"])
def test_an_engine_that_is_down_ends_with_code_4(run, ollama, verb):
    ollama.inject(Fault.refuse())
    said = run(verb, "llama", *(["--yes"] if verb in ("pull", "rm") else []))
    assert said.code == 4
    assert "error: ollama does not answer" in said.err
    assert "hint: headgate engines start ollama" in said.err


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_the_embedded_engine_is_loaded_by_the_gate_and_by_no_command(run, verb):
    page = run.shell.home / "headgate.toml"
    page.write_text(page.read_text() + '[engines.embedded]\nkind = "llamacpp"\n')
    said = run(verb, "headgate-nano", "--engine", "embedded")
    assert said.code == 2
    assert "embedded is an embedded engine: its models are in the memory of the gate" in said.err
    assert "note: embedded is an embedded engine" in run("ps").err


def test_an_engine_that_manages_nothing_says_so(run, ollama):
    page = run.shell.home / "headgate.toml"
    page.write_text(
        page.read_text()
        + f'[engines.vllm]\nkind = "openai_compatible"\nurl = "{ollama.url}/v1"\nlocal = true\n'
    )
    said = run("load", "x", "--engine", "vllm")
    assert said.code == 2
    assert "the models of vllm (openai_compatible) are its own business" in said.err
