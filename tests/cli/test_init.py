"""`headgate init` as a person runs it, on machines of every kind, over doubles of Ollama, LM Studio and Hugging Face."""

import json
import signal
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from gguf_files import random_model
from headgate.engines.llamacpp.shipped import shipped_folder
from headgate.testing import (
    HuggingFaceDouble,
    LMStudioDouble,
    OllamaDouble,
    PullTrouble,
    ServedModel,
    write_lms,
    write_ollama,
)
from init_desk import CARD_24, NO_GPU, Desk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the doubles of programs are scripts")

KEY = {"ANTHROPIC_API_KEY": "sk-ant-very-secret"}
LLAMA = ServedModel(context=131072, size=4_920_753_328)
NOMIC = ServedModel(kind="embedding", context=2048, size=274_302_450, family="nomic-bert", dimensions=768)
CODER = ServedModel(context=32768, size=4_683_087_332, family="qwen2", layers=28, kv_heads=4)
PHI = ServedModel(context=131072, size=2_490_000_000, family="phi3")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home", tmp_path / "bin", dict(CARD_24))
    yield made
    made.end()


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home", tmp_path / "bin", dict(NO_GPU))
    yield made
    made.end()


@pytest.fixture
def ollama(desk: Desk) -> Iterator[OllamaDouble]:
    """An Ollama that somebody runs by hand: two models, and two more to be fetched."""
    has = {"llama3.1:8b": LLAMA, "nomic-embed-text": NOMIC}
    offers = {"qwen2.5-coder:7b": CODER, "phi4-mini": PHI}
    with OllamaDouble(
        has, "It lets water into a canal.", library=offers, port=desk.ports["ollama"]
    ).in_thread() as double:
        yield double


def models(desk: Desk) -> dict[str, dict[str, object]]:
    return tomllib.loads(desk.page.read_text())["models"]


# ── A machine with a card, Ollama, and a key ─────────────────────────────────────────────────────────────────────────


def test_a_person_with_a_card_and_ollama_is_led_to_a_gate_that_answers(desk, ollama):
    said = desk.typing("y", "y", **KEY)
    assert said.code == 0, said.err
    desk.same_screen("init-card-24", said.err)
    assert {"llama3.1:8b", "qwen2.5-coder:7b"} <= {name.removesuffix(":latest") for name in ollama.models}
    assert desk("config", "check", **KEY).code == 0
    page = models(desk)
    assert page["llama"]["id"] == "llama3.1:8b"
    assert len(page["llama"]["context"]) > 1, "a longer lane that it fits with alone"
    routes = tomllib.loads(desk.page.read_text())["routes"]
    assert [route["try"] for route in routes] == [
        ["llama", "claude"],
        ["claude"],
        ["llama", "claude"],
        ["coder", "claude"],
        ["llama", "claude"],
    ]


def test_a_plan_shows_everything_and_does_nothing(desk, ollama):
    said = desk("init", "--plan", **KEY)
    assert said.code == 0, said.err
    desk.same_screen("init-plan", said.out)
    assert said.err == ""
    told = desk("init", "--plan", "--json", **KEY).json
    assert told["proposal"]["fits"]
    assert told["proposal"]["download"] > 4_000_000_000
    assert tomllib.loads(told["page"])["models"]["claude"]
    assert told["keys"]["ANTHROPIC_API_KEY"] is True
    assert told["keys"]["OPENAI_API_KEY"] is False
    assert list(desk.home.iterdir()) == []
    assert not [call for call in ollama.calls if call.method == "POST" and call.path != "/api/show"]


def test_the_value_of_a_key_is_never_shown_and_never_written(desk, ollama):
    for args in (("--plan",), ("--plan", "--json"), ("--yes", "--json")):
        said = desk("init", *args, **KEY)
        assert "very-secret" not in said.out + said.err
    assert "very-secret" not in desk.page.read_text()


def test_models_that_are_there_go_before_others_that_would_have_to_be_fetched(desk):
    """The card would hold a Phi of its own for labels; Llama is there and does it well."""
    has = {"llama3.1:8b": LLAMA, "qwen2.5-coder:7b-instruct-q4_K_M": CODER, "mxbai-embed-large": NOMIC}
    with OllamaDouble(has, port=desk.ports["ollama"]).in_thread():
        told = desk("init", "--plan", "--json").json
    assert told["proposal"]["download"] == 0
    assert [model["id"] for model in told["proposal"]["models"]] == [
        "llama3.1:8b",
        "qwen2.5-coder:7b-instruct-q4_K_M",
        "mxbai-embed-large",
    ]


def test_yes_alone_downloads_nothing_and_no_missing_model_makes_anybody_pay(desk, ollama):
    said = desk("init", "--yes", "--json", **KEY)
    assert said.code == 0, said.err
    assert not [call for call in ollama.calls if call.path == "/api/pull"]
    assert said.json["downloaded"] == []
    assert {row["model"] for row in said.json["proofs"]} == {"llama", "nomic"}
    assert "headgate models pull coder" in said.json["next"]
    routes = {route["name"]: route["try"] for route in tomllib.loads(desk.page.read_text())["routes"]}
    assert routes["code"] == ["coder", "llama", "claude"]


def test_yes_with_download_fetches_and_proves_all(desk, ollama):
    said = desk("init", "--yes", "--download", "--json", **KEY)
    assert said.code == 0, said.err
    assert said.json["downloaded"] == ["coder"]
    assert all(row["ok"] for row in said.json["proofs"])
    proofs = {row["model"]: row for row in said.json["proofs"]}
    assert proofs["coder"]["answer"] == "It lets water into a canal."
    assert proofs["nomic"]["dimensions"] == 768
    loads = dict(ollama.loads)
    assert loads["llama3.1:8b"] == models(desk)["llama"]["context"][0]
    planned = desk("models", "plan", "--json").json
    assert planned["together"]["fits"] is said.json["proposal"]["fits"] is True


def test_a_card_that_the_engine_does_not_use_is_told_of(desk):
    has = {"llama3.1:8b": LLAMA, "qwen2.5-coder:7b": CODER, "nomic-embed-text": NOMIC}
    with OllamaDouble(has, vram=0, port=desk.ports["ollama"]).in_thread():
        said = desk("init", "--yes")
    assert said.code == 0, said.err
    assert "warning: llama, coder, nomic ran on the processor, though there is a GPU" in said.err


def test_a_page_that_is_a_link_stays_one(desk, ollama):
    (desk.home / "dotfiles").mkdir()
    real = desk.home / "dotfiles" / "gate.toml"
    real.write_text("# mine\n")
    desk.page.symlink_to(real)
    assert desk("init", "--yes", "--force").code == 0
    assert desk.page.is_symlink()
    assert "[[routes]]" in real.read_text()


def test_a_refused_download_writes_a_page_and_says_how_to_go_on(desk, ollama):
    said = desk.typing("n", "y", **KEY)
    assert said.code == 0, said.err
    desk.same_screen("init-refused", said.err)
    assert not [call for call in ollama.calls if call.path == "/api/pull"]
    assert "# not there yet: headgate models pull coder" in desk.page.read_text()


def test_who_does_not_want_the_page_gets_none(desk, ollama):
    said = desk.typing("n", "n")
    assert said.code == 130
    assert not desk.page.exists()
    assert not [call for call in ollama.calls if call.path == "/api/pull"]


def test_a_disk_that_is_too_small_is_told_of_before_anything_is_fetched(desk, ollama):
    desk.free = 1_200_000_000
    said = desk("init", "--yes", "--download", **KEY)
    assert said.code == 1
    desk.same_screen("init-full-disk", said.err)
    assert not [call for call in ollama.calls if call.path == "/api/pull"]
    assert desk("config", "check", **KEY).code == 0


def test_a_disk_that_fills_meanwhile_leaves_no_half_model(desk):
    with OllamaDouble(
        {"llama3.1:8b": LLAMA, "nomic-embed-text": NOMIC},
        library={"qwen2.5-coder:7b": CODER},
        disk=10**9,
        port=desk.ports["ollama"],
    ).in_thread() as double:
        said = desk("init", "--yes", "--download")
        assert said.code == 1
        assert "no space left on device" in said.err
        assert "Traceback" not in said.err
        assert "qwen2.5-coder:7b" not in double.models
        assert "headgate models pull coder" in said.err
        assert desk.page.exists()


def test_who_is_interrupted_in_a_download_has_no_page_and_goes_on_by_running_it_again(desk, ollama):
    ollama.break_pull("qwen2.5-coder:7b", PullTrouble.STALL)
    child = desk.start("init", "--yes", "--download")
    assert child.stderr is not None
    seen = ""
    while "downloading  2.3" not in (line := child.stderr.readline()):
        seen += line
        assert line, seen
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "headgate init goes on where this ended" in err
    assert list(desk.home.glob("headgate*")) == []
    again = desk("init", "--yes", "--download", "--json")
    assert again.code == 0, again.err
    assert again.json["downloaded"] == ["coder"]


# ── The page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_is_never_overwritten_without_force_and_then_kept_beside(desk, ollama):
    desk.page.write_text("# mine\n")
    refused = desk("init", "--yes")
    assert refused.code == 2
    assert "--force" in refused.err
    assert desk.page.read_text() == "# mine\n"
    said = desk("init", "--yes", "--force", "--json")
    assert said.code == 0, said.err
    assert Path(said.json["backup"]).read_text() == "# mine\n"
    second = desk("init", "--yes", "--force", "--json").json["backup"]
    assert second != said.json["backup"]
    assert Path(said.json["backup"]).read_text() == "# mine\n"


def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(desk, ollama):
    (desk.home / "file").write_text("x")
    said = desk("init", "--yes", "--download", "--config", "file/headgate.toml")
    assert said.code == 1
    assert "cannot be written" in said.err
    assert not ollama.calls


# ── The stack of an agency ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_agencys_stack_is_started_with_its_settings_and_proven(desk):
    programs = write_ollama(desk.programs)
    write_lms(desk.programs)
    said = desk("init", "--stack", "agency", "--yes", "--start", **KEY)
    assert said.code == 0, said.err
    desk.same_screen("init-agency", said.err)
    served = next(call for call in programs.calls() if call.arguments == ("serve",))
    assert served.environment["OLLAMA_NUM_PARALLEL"] == "4"
    page = tomllib.loads(desk.page.read_text())
    assert {name: model["id"] for name, model in page["models"].items()} == {
        "llama": "llama3.1:8b",
        "coder": "qwen2.5-coder:7b",
        "phi": "phi-3-mini-128k-instruct",
        "nomic": "nomic-embed-text",
        "claude": "claude-sonnet-5-5",
    }
    assert page["engines"]["ollama"]["parallel"] == 4
    assert page["engines"]["lmstudio"]["url"] == f"http://127.0.0.1:{desk.ports['lmstudio']}"
    assert "48.0 GiB" in said.err
    assert max(page["models"]["phi"]["context"]) < 131072
    assert desk("config", "check", **KEY).code == 0


def test_nothing_is_started_without_a_yes(desk):
    ollama = write_ollama(desk.programs, models=["llama3.1:8b"])
    said = desk("init", "--yes")
    assert said.code == 0, said.err
    assert "headgate engines start ollama" in said.err
    assert not [call for call in ollama.calls() if call.arguments == ("serve",)]
    desk.page.unlink()
    refused = desk.typing("n", "y")
    assert refused.code == 0, refused.err
    assert "OLLAMA_NUM_PARALLEL=" in refused.err, "the exact change is shown before it is asked for"
    assert not [call for call in ollama.calls() if call.arguments == ("serve",)]


def test_lm_studio_takes_the_labels_beside_ollama(desk, ollama):
    ollama.models.pop("llama3.1:8b")
    ollama.library["llama3.1:8b"] = LLAMA
    phi = ServedModel(context=131072, size=2_490_000_000)
    with LMStudioDouble({"phi-4-mini-instruct": phi}, port=desk.ports["lmstudio"]).in_thread():
        told = desk("init", "--plan", "--json").json
    by_role = {role: model for model in told["proposal"]["models"] for role in model["roles"]}
    assert by_role["classification"]["engine"] == "lmstudio"
    assert by_role["classification"]["there"]


class Vllm(BaseHTTPRequestHandler):
    """vLLM with a model, as far as it is asked here."""

    pages: ClassVar[dict[str, object]] = {
        "/version": {"version": "0.11.0"},
        "/v1/models": {
            "object": "list",
            "data": [{"id": "Qwen/Qwen2.5-7B-Instruct", "max_model_len": 32768}],
        },
        "/v1/chat/completions": {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "Qwen/Qwen2.5-7B-Instruct",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "A gate for water."},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
        },
    }

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.dumps(self.pages.get(self.path, {"error": "not found"})).encode()
        self.send_response(200 if self.path in self.pages else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # the names are http.server's

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_runs_with_its_own_model_is_used_as_it_is(desk):
    server = ThreadingHTTPServer(("127.0.0.1", desk.ports["vllm"]), Vllm)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        said = desk("init", "--yes", "--download", "--json")
    finally:
        server.shutdown()
        server.server_close()
    assert said.code == 0, said.err
    page = tomllib.loads(desk.page.read_text())
    assert page["models"]["qwen"]["id"] == "Qwen/Qwen2.5-7B-Instruct"
    assert page["routes"][-1]["try"] == ["qwen"]
    assert said.json["proofs"][0]["answer"] == "A gate for water."
    assert said.json["downloaded"] == []


# ── A machine with nothing ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_laptop_with_nothing_is_offered_a_real_model_in_the_embedded_engine(laptop):
    pytest.importorskip("xllamacpp")
    said = laptop.typing("n", "n", "n", "y")
    assert said.code == 0, said.err
    laptop.same_screen("init-nothing", said.err)
    page = models(laptop)
    assert page["phi"]["id"].startswith("hf.co/")
    assert laptop("config", "check").code == 0
    assert not (laptop.home / ".local").exists()


def test_a_real_model_is_fetched_from_hugging_face_and_answers_in_the_embedded_engine(laptop, tmp_path):
    pytest.importorskip("xllamacpp")
    content = random_model(tmp_path / "model.gguf", width=64, layers=2, context=131072).read_bytes()
    laptop.hardware |= {"ram_total": 8 * 1024**3, "ram_available": 7 * 1024**3}
    repositories = {"bartowski/Llama-3.2-1B-Instruct-GGUF": {"Llama-3.2-1B-Instruct-Q8_0.gguf": content}}
    with HuggingFaceDouble(repositories).in_thread() as hub:
        said = laptop("init", "--yes", "--download", "--json", HF_ENDPOINT=hub.url)
        assert said.json["downloaded"] == ["llama"], said.err
        assert said.json["failed"] == ["nomic"], "that repository is not there"
    (proof,) = said.json["proofs"]
    assert proof["ok"], proof
    assert proof["tokens"] > 0
    assert said.code == 1
    again = laptop("init", "--yes", "--force", "--json")
    assert [row["model"] for row in again.json["proofs"]] == ["llama"], "what is there is found again"


def test_offline_the_toys_are_offered_and_called_so(laptop):
    pytest.importorskip("xllamacpp")
    said = laptop.typing("n", "y", "y", "y", HF_ENDPOINT="http://127.0.0.1:9")
    assert "toys: no assistants" in said.err
    assert {model["label"] for model in models(laptop).values()} == {"toy"}
    assert "TOYS" in laptop.page.read_text()
    assert said.err.count("ok    ") == 2


def test_the_toys_answer_end_to_end(laptop):
    pytest.importorskip("xllamacpp")
    said = laptop("init", "--stack", "toys", "--yes", "--json")
    assert said.code == 0, said.err
    assert {row["model"]: row["ok"] for row in said.json["proofs"]} == {
        "clerk": True,
        "embed": True,
    }
    assert (shipped_folder() / "headgate-clerk.gguf").exists()
    assert laptop("config", "check").code == 0
    laptop.hardware |= {"gpus": CARD_24["gpus"]}  # which the embedded engine does not use
    assert laptop("models", "plan", "--json").json["room"]["gpu"] == 0
    answer = laptop("ask", "--json", "--task", "classification", "I was charged twice this month.")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["model"] == "clerk"
    run = laptop("agents", "run", "triage", "-i", "I was charged twice this month.")
    assert json.loads(run.out)["category"] == "billing"


def test_without_any_engine_the_page_waits_for_ollama_and_its_command_is_printed(laptop):
    laptop.embedded = False
    said = laptop("init", "--yes")
    assert said.code == 0, said.err
    assert "https://ollama.com/install.sh" in said.err
    assert tomllib.loads(laptop.page.read_text())["engines"]["ollama"]
    assert said.err.index("install.sh") < said.err.index("headgate doctor")


def test_an_engine_is_installed_by_its_makers_command_only_on_a_yes(laptop):
    """The double of the shell's `curl` puts an Ollama there, as the real one's script does."""
    laptop.embedded = False
    (laptop.programs / "sh").symlink_to("/bin/sh")
    curl = laptop.programs / "curl"
    write_ollama(laptop.home, models=["llama3.2:3b"])
    curl.write_text(f'#!/bin/sh\necho "/bin/cp {laptop.home}/ollama {laptop.programs}/ollama"\n')
    curl.chmod(0o755)
    refused = laptop.typing("n", "n", "n")
    assert "install Ollama by it?" in refused.err
    assert not (laptop.programs / "ollama").exists()
    laptop.typing("y", "n", "n")
    assert (laptop.programs / "ollama").exists()
