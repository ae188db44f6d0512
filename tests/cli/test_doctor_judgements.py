"""What the doctor makes of what was found, where no double can show it: cards, drivers, versions, clocks, old engines."""

from pathlib import Path

import pytest

from headgate.cli.checkup import deep, findings, gate, machine, models, occupants, programs
from headgate.core.cards import Card
from headgate.core.engine import LoadedModel
from headgate.core.hardware import Gpu, Hardware
from headgate.core.memory import GIB
from headgate.core.types import Model, Reply, Usage
from headgate.fleet.programs.settings import Drift

LLAMA = Model(name="llama", engine="ollama", engine_kind="ollama", id="llama3.1:8b", local=True, context=8192)
CARD = Gpu(name="RTX 4090", vendor="nvidia", total=24 * GIB, free=20 * GIB, driver="550.1")


def test_a_machine_is_told_by_its_cards_memory_and_cores():
    (found,) = machine.judge_hardware(Hardware(gpus=(CARD,), ram_total=64 * GIB, cores=8))
    assert (found.state, found.found) == (
        "ok",
        "RTX 4090 with 24.0 GiB, driver 550.1; 64.0 GiB of RAM, 8 cores",
    )
    (none,) = machine.judge_hardware(Hardware(ram_total=16 * GIB, cores=1))
    assert none.state == "ok"
    assert none.found.startswith("no GPU, so models run on the CPU; 16.0 GiB of RAM, 1 core")


@pytest.mark.parametrize(
    ("note", "found", "fix"),
    [
        (
            "NVIDIA's driver cannot be asked: Driver/library version mismatch; the driver was updated while it ran: restart the machine",
            "NVIDIA's driver cannot be asked: Driver/library version mismatch",
            "the driver was updated while it ran: restart the machine",
        ),
        (
            "NVIDIA card 0 does not answer: GPU is lost; the card fell off its bus: power the machine off and check that it is seated",
            "NVIDIA card 0 does not answer: GPU is lost",
            "the card fell off its bus: power the machine off and check that it is seated",
        ),
        (
            "there is an NVIDIA card, but its driver's library cannot be found: install it: https://www.nvidia.com/drivers",
            "there is an NVIDIA card, but its driver's library cannot be found",
            "install it: https://www.nvidia.com/drivers",
        ),
        (
            "no permission for /dev/kfd, through which AMD's cards compute: sudo usermod -aG render,video $USER, then log in again",
            "no permission for /dev/kfd, through which AMD's cards compute",
            "sudo usermod -aG render,video $USER, then log in again",
        ),
    ],
)
def test_a_card_that_cannot_be_used_fails_with_what_to_do(note, found, fix):
    (told,) = machine.judge_hardware(Hardware(gpus=(CARD,), notes=(note,)))
    assert (told.state, told.found, told.fix) == ("FAIL", found, fix)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("0.33.0", "ok"),
        ("0.33.0-rc2", "ok"),
        ("0.12.11", "ok"),
        ("1.0.0", "ok"),
        ("0.0.0", "ok"),
        ("", "ok"),
        ("0.12.10", "FAIL"),
        ("0.9.0", "FAIL"),
    ],
)
def test_an_ollama_that_cuts_prompts_whatever_it_is_asked_fails(version, state):
    found = programs.judge_ollama("ollama", version, "curl … | sh")
    assert found.state == state
    assert found.fix == ("" if state == "ok" else "curl … | sh")


def test_an_lm_studio_that_cannot_load_models_warns():
    assert programs.judge_lmstudio("lmstudio", "brew …", newer=True).state == "ok"
    assert programs.judge_lmstudio("lmstudio", "brew …", newer=False).state == "warn"


def setting(name: str, state: str, found: str | None = None) -> Drift:
    return Drift(name=name, wanted="4", found=found, source="its environment", state=state, why="why")


def test_settings_fail_where_the_gate_depends_on_them_and_warn_where_others_do():
    parallel, kept = "OLLAMA_NUM_PARALLEL", "OLLAMA_KEEP_ALIVE"
    found = programs.judge_settings("o", [setting(parallel, "drift", "1"), setting(kept, "ok", "4")], "fix")
    assert (found.state, found.found, found.required) == ("FAIL", f"{parallel} is 1", f"{parallel}=4")
    found = programs.judge_settings("o", [setting(parallel, "ok", "4"), setting(kept, "drift")], "fix")
    assert (found.state, found.found) == ("warn", f"{kept} is not set")
    found = programs.judge_settings("o", [setting("OLLAMA_HOST", "drift", "0.0.0.0:1")], "fix")
    assert found.state == "ok"
    found = programs.judge_settings("o", [setting(parallel, "unknown")], "fix")
    assert (found.state, parallel in found.found) == ("ok", True)


def test_a_clock_is_compared_only_with_those_that_tell_the_time():
    assert machine.judge_clock({}, zone=True).state == "ok"
    assert machine.judge_clock({"openai": 59.0}, zone=True).state == "ok"
    assert machine.judge_clock({"openai": -61.0}, zone=True).state == "warn"
    found = machine.judge_clock({}, zone=False)
    assert (found.state, "timedatectl set-timezone" in found.fix) == ("warn", True)


def test_a_server_that_does_not_tell_the_time_is_not_compared_with():
    assert machine.skew_of("http://127.0.0.1:9") is None


def test_models_on_the_cpu_are_well_where_there_is_no_gpu():
    on_cpu = LoadedModel(id="llama3.1:8b", memory=GIB, vram=0)
    assert occupants.judge_gpu("o", [on_cpu], "fix", has_gpu=False).state == "ok"
    assert occupants.judge_gpu("o", [on_cpu], "fix", has_gpu=True).state == "FAIL"
    silent = LoadedModel(id="phi")
    assert occupants.judge_gpu("o", [silent], "fix", has_gpu=True).state == "ok"


def test_the_memory_of_a_model_by_its_longer_lane_is_the_configs_own():
    lane = Model(
        name="llama@32k",
        engine="ollama",
        engine_kind="ollama",
        id="llama3.1:8b",
        local=True,
        context=32768,
        lane_of="llama",
    )
    here = LoadedModel(id="llama3.1:8b", context=32768)
    (found,) = occupants.judge_loaded("ollama", [here], [LLAMA, lane])
    assert found.state == "ok"
    (found,) = occupants.judge_loaded("ollama", [here], [LLAMA])
    assert found.state == "warn"


def test_what_runs_elsewhere_is_named_whether_it_is_listed_or_configured():
    cloud = Model(name="big", engine="ollama", engine_kind="ollama", id="gpt-oss:120b-cloud", local=False)
    named, other = models.judge_cloud("ollama", ["gpt-oss:120b-cloud", "kimi:cloud"], [cloud])
    assert "[models.big]" in named.fix
    assert other.found.startswith("kimi:cloud is one")
    assert {named.state, other.state} == {"warn"}


def read(prompt: int) -> Reply:
    return Reply(text="a", usage=Usage(input=prompt, output=1))


@pytest.mark.parametrize(
    ("counted", "state"), [(7000, "ok"), (6400, "ok"), (6200, "FAIL"), (4096, "FAIL"), (8, "FAIL")]
)
def test_a_count_far_below_what_was_sent_is_a_cut_prompt(counted, state):
    found = deep.judge_context(LLAMA, 8192, 5000, 7000.0, read(counted))
    assert found.state == state
    assert f"{counted:,}" in found.found


def test_an_engine_that_does_not_count_prompts_is_not_believed_either_way():
    assert deep.judge_context(LLAMA, 8192, 0, 0.0, read(0)).state == "warn"


def test_the_probe_begins_with_a_word_that_no_cache_knows():
    text = deep.probe("a1b2", 500).messages[0].text
    assert text.startswith("a1b2 apple river")
    assert len(text.split()) >= 500


def test_when_a_model_was_last_measured_is_said_in_days():
    card = Card(engine="ollama", id="llama3.1:8b", digest="d", machine="m", measured=0.0, load_seconds=3.2)
    cards = {("ollama", "llama3.1:8b"): card}
    assert models.last_seen(LLAMA, cards, 3 * 86_400 + 5) == "; measured 3 days ago and loaded in 3.2 s"
    assert models.last_seen(LLAMA, cards, 86_401).startswith("; measured yesterday")
    assert models.last_seen(LLAMA, {}, 5.0) == ""


def test_room_is_asked_for_what_is_to_be_fetched():
    place = Path("/models")
    assert gate.judge_models_disk("ollama", place, 5 * 10**9, {}).state == "ok"
    assert gate.judge_models_disk("ollama", place, 5 * 10**8, {}).state == "warn"
    found = gate.judge_models_disk("ollama", place, 5 * 10**9, {"llama": 6 * 10**9})
    assert (found.state, "6.0 GB for llama" in found.required) == ("FAIL", True)


def test_warnings_fail_only_where_that_is_asked_for():
    some = [findings.passed("port", "free"), findings.warned("clock", "late", "right", "set it")]
    assert findings.all_well(some, strict=False)
    assert not findings.all_well(some, strict=True)
    assert not findings.all_well([*some, findings.failed("key", "none", "one", "give it")], strict=False)
