"""`headgate models plan` as a person runs it, with its screen kept as text."""

import pytest

from headgate.engines.llamacpp.shipped import shipped_folder

PAGE = """
[engines.ollama]
kind = "ollama"

[engines.lmstudio]
kind = "lmstudio"

[engines.embedded]
kind = "llamacpp"

[models.phi]
engine = "lmstudio"
id = "phi-3-mini-128k-instruct"
context = 131072

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 16384

[models.coder]
engine = "ollama"
id = "qwen2.5-coder:7b"
context = 16384

[models.nomic]
engine = "ollama"
id = "nomic-embed-text"
kind = "embedding"

[[routes]]
name = "all"
try = ["llama", "coder", "phi"]
"""

SCREEN = """\
GPU  a card to plan for: 24.0 GiB
RAM  48.0 GiB
models may take 23.5 GiB on the GPU and 42.0 GiB of RAM
note: 48.0 GiB of RAM are assumed; --ram says another size

model       context   weights   KV cache   overhead      total   runs                         largest
─────────────────────────────────────────────────────────────────────────────────────────────────────
phi     131,072 x 1   2.2 GiB   48.0 GiB    951 MiB   51.2 GiB   14 of 32 layers on the GPU    32,768
llama    16,384 x 4   4.6 GiB    8.0 GiB    978 MiB   13.5 GiB   on the GPU                    32,768
coder    16,384 x 4   4.4 GiB    3.5 GiB    1.0 GiB    8.9 GiB   on the GPU                    32,768
nomic     2,048 x 1   261 MiB       none    544 MiB    805 MiB   on the GPU                     2,048

phi does not fit on the GPU with 131,072 tokens: its f16 cache alone takes 48.0 GiB (384 KiB a token, because each of its 32 \
heads has keys and values of its own), and 23.5 GiB can be had.
  14 of its 32 layers would run there and the rest on the processor: slowly.
  It fits with 32,768 tokens, or with 65,536 and a q8_0 cache, or with 131,072 and a q4_0 cache.
  With 131,072 tokens these fit alone: phi-4-mini (19.6 GiB in all, 128 KiB of cache a token), llama3.2:3b (17.0 GiB in all, \
112 KiB of cache a token), llama3.1:8b (21.7 GiB in all, 128 KiB of cache a token).

Context classes that each fits with alone (tokens x requests at a time):
  phi    8,192 x 1, 32,768 x 1
  llama  8,192 x 4, 32,768 x 4, 131,072 x 1
  coder  8,192 x 4, 32,768 x 4

Together they take 74.4 GiB of 23.5 GiB: not all of them can be loaded at the same time.
  llama, coder and nomic can stay loaded.
  phi does not fit even alone.

A set that fits together (22.5 GiB of 23.5 GiB; about 12.4 GB to download):

for              model                 engine     quantization      context     total
─────────────────────────────────────────────────────────────────────────────────────
general          llama3.1:8b           ollama     Q4_K_M          8,192 x 4   9.4 GiB
code             qwen2.5-coder:7b      ollama     Q4_K_M          8,192 x 4   7.0 GiB
classification   phi-4-mini-instruct   lmstudio   Q4_K_M         16,384 x 1   5.2 GiB
embeddings       nomic-embed-text      ollama     F16             2,048 x 1   805 MiB
"""


def lines(text):
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture
def offline(shell):
    """The user's own stack, whose engines are not there: nothing listens on port 1."""
    shell.write(
        PAGE.replace('"ollama"\n\n', '"ollama"\nurl = "http://127.0.0.1:1"\n\n', 1).replace(
            'kind = "lmstudio"', 'kind = "lmstudio"\nurl = "http://127.0.0.1:1"'
        )
    )
    return shell


def test_the_users_stack_on_a_card_that_is_not_here(offline):
    said = offline("models", "plan", "--vram", "24")
    assert (said.code, said.err) == (0, "")
    assert lines(said.out) == lines(SCREEN)


def test_programs_get_the_same_in_bytes_and_tokens(offline):
    told = offline("models", "plan", "--vram", "24", "--ram", "64", "--json").json
    phi, llama, coder, nomic = told["models"]
    assert (phi["kv"], phi["kv_per_token"]) == (48 * 1024**3, 384 * 1024)
    assert (phi["verdict"], phi["layers_on_gpu"], phi["largest_context"]) == ("partly", 14, 32768)
    assert any("phi-4-mini" in line for line in phi["advice"])
    assert (llama["verdict"], llama["context"], llama["parallel"]) == ("gpu", 16384, 4)
    assert llama["total"] == llama["weights"] + llama["kv"] + llama["overhead"]
    assert coder["lanes"][0] == {"context": 8192, "parallel": 4, "total": coder["lanes"][0]["total"]}
    assert (nomic["kv"], nomic["parallel"], nomic["source"]) == (0, 1, "catalogue")
    assert told["together"]["fits"] is False
    assert told["together"]["warm"] == ["llama", "coder", "nomic"]
    assert told["hardware"]["ram_total"] == 64 * 1024**3
    assert told["hardware"]["imagined"] is True
    assert [model["id"] for model in told["proposal"]["models"]][2] == "phi-4-mini-instruct"


def test_together_counts_each_lanes_first_context_as_the_gate_keeps_it_loaded(offline):
    page = (offline.home / "headgate.toml").read_text()
    offline.write(
        page.replace("context = 131072", "context = [8192, 131072]").replace("16384", "[4096, 16384]")
    )
    told = offline("models", "plan", "--vram", "24", "--json").json
    assert [model["context"] for model in told["models"]][:2] == [131072, 16384]
    assert told["together"]["total"] < sum(model["total"] for model in told["models"])
    assert told["together"]["fits"] is True
    assert "Together, each with its first context, they take" in offline("models", "plan", "--vram", "24").out


def test_the_plan_keeps_to_the_configs_memory_and_cache(offline):
    page = (offline.home / "headgate.toml").read_text()
    page = page.replace('kind = "ollama"\n', 'kind = "ollama"\nkv_cache = "q8_0"\n', 1)
    offline.write(page + "\n[fleet]\nram_gb = 6\n")
    told = offline("models", "plan", "--json").json
    assert told["room"]["ram"] == 6 * 1024**3
    assert {model["name"]: model.get("kv_type") for model in told["models"]}["llama"] == "q8_0"
    assert offline("models", "plan", "--kv", "q4_0", "--json").json["models"][1]["kv_type"] == "q4_0"
    assert offline("models", "plan", "--ram", "64", "--json").json["room"]["ram"] == 56 * 1024**3


def test_models_may_be_named_that_are_nowhere_yet(shell):
    told = shell(
        "models", "plan", "phi-4-mini", "llama3.1:8b", "--vram", "24", "--context", "131072", "--json"
    ).json
    assert [(one["name"], one["verdict"], one["kv"] // 1024**3) for one in told["models"]] == [
        ("phi-4-mini", "gpu", 16),
        ("llama3.1:8b", "gpu", 16),
    ]
    assert told["proposal"] is None
    assert told["together"]["swapped"] == ["llama3.1:8b"]


def test_a_cache_in_eight_bits_and_fewer_at_a_time_take_less(offline):
    def kv(*options):
        return (
            offline("models", "plan", "llama", "--vram", "24", "--json", *options).json["models"][0]["kv"]
            / 1024**3
        )

    assert kv() == 8
    assert kv("--kv", "q8_0") == 4.25
    assert kv("--parallel", "1") == 2
    assert kv("--context", "8192", "--parallel", "2", "--kv", "q4_0") == 0.5625


def test_a_file_of_the_users_own_is_planned_by_its_own_head(shell):
    file = shipped_folder() / "headgate-micro.gguf"
    told = shell(
        "models",
        "plan",
        "--file",
        str(file),
        str(shipped_folder() / "headgate-nano.gguf"),
        "--vram",
        "8",
        "--json",
    ).json
    nano, micro = told["models"]
    assert (micro["name"], micro["source"], micro["weights"]) == (
        "headgate-micro",
        "file",
        file.stat().st_size,
    )
    assert micro["kv"] == 4 * 2 * 64 * 2 * 1024  # layers x KV heads x numbers x bytes x tokens
    assert nano["name"] == "headgate-nano"


def test_this_machine_is_planned_for_when_nothing_is_said(offline):
    told = offline("models", "plan", "--json").json
    assert told["hardware"]["imagined"] is False
    assert told["hardware"]["ram_total"] > 0
    assert len(told["models"]) == 4


def test_no_gpu_is_planned_for_too(offline):
    said = offline("models", "plan", "llama", "--vram", "0", "--ram", "16")
    assert "GPU  none: models run on the CPU" in said.out
    assert "on the CPU" in said.out
    assert "assumed" not in said.out


def test_an_embedded_model_and_one_that_nobody_knows_are_told_apart(offline):
    page = (offline.home / "headgate.toml").read_text()
    page += '\n[models.nano]\nengine = "embedded"\nid = "headgate-nano"\n'
    page += '\n[models.mine]\nengine = "ollama"\nid = "mine:latest"\n'
    page += '\n[models.gone]\nengine = "embedded"\nid = "gone.gguf"\n'
    offline.write(page)
    said = offline("models", "plan", "--vram", "24")
    assert said.code == 0
    assert "mine: ollama does not tell, and the catalogue has no mine:latest." in said.out
    assert "gone: the model file gone.gguf does not exist." in said.out
    told = {one["name"]: one for one in offline("models", "plan", "--vram", "24", "--json").json["models"]}
    assert told["nano"]["source"] == "file"
    assert told["mine"]["verdict"] is None


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["lama3.1:8b"], 2, ['nothing is known of a model "lama3.1:8b"', 'did you mean "llama3.1:8b"?']),
        (["zzz"], 2, ["name a GGUF file, or one of"]),
        (["--file", "gone.gguf"], 4, ["gone.gguf does not exist"]),
        (["--file", "broken.gguf"], 4, ["cut short or damaged", "hint: "]),
        (["--vram", "-1"], 2, ["--vram"]),
        (["--kv", "q3"], 2, ["--kv"]),
        (["--context", "0"], 2, ["--context"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_of_what_and_one_of_what_to_do(shell, args, code, words):
    (shell.home / "broken.gguf").write_bytes(b"GGUF\3")
    said = shell("models", "plan", *args)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err
