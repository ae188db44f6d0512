"""The pages that `headgate init` writes: for every machine and every key one that the gate takes, and that says why."""

import tomllib
from itertools import product
from pathlib import Path

import pytest

from headgate.config.catalogue import known_models
from headgate.config.clouds import CLOUDS, opened_by
from headgate.config.draft import Served, draft, draft_toys
from headgate.config.load import parse_config
from headgate.config.page import write_page
from headgate.config.prices import find_price
from headgate.core.hardware import imagine
from headgate.core.memory import GIB, need
from headgate.core.propose import STACKS, Home, contexts_of, outfit, prefer, propose, room_for

CATALOGUE = known_models()
MACHINES = {
    "48": imagine(48 * GIB),
    "24": imagine(24 * GIB),
    "8": imagine(8 * GIB),
    "no GPU": imagine(0, 16 * GIB),
    "tiny": imagine(0, 4 * GIB),
}
ENGINES = (("ollama",), ("ollama", "lmstudio"), ("lmstudio",), ("llamacpp",))
WORDS = {cloud.variable for cloud in CLOUDS}


def proposal(hardware, engines, homes=None):
    found = propose(hardware, CATALOGUE, engines, homes=homes)
    return found if found.picks else outfit(CATALOGUE.sets[-1], hardware, CATALOGUE, engines, parallel=1)


def page(hardware, engines, keys=(), served=()):
    drafted = draft(
        proposal(hardware, engines), engines=engines, urls={}, clouds=opened_by(keys), served=served
    )
    return drafted, write_page(drafted, hardware)


@pytest.mark.parametrize(
    ("machine", "engines", "keys"),
    list(product(MACHINES, ENGINES, [(), ("OPENAI_API_KEY",), tuple(WORDS)])),
)
def test_every_page_is_one_that_the_gate_takes(machine, engines, keys):
    drafted, text = page(MACHINES[machine], engines, keys)
    config = parse_config(text, Path("headgate.toml"), lambda *_: None)
    assert len(config.policy.routes) == 5
    assert {model.name for model in drafted.models} <= config.policy.models.keys()
    for model in drafted.models:
        assert config.policy.models[model.name].kind == model.kind
    paid = {name for route in config.policy.routes for name in route.chain} & {c.name for c in CLOUDS}
    assert len(paid) == bool(keys), "one paid model ends the chains, the others wait to be named"
    for route in config.policy.routes:
        assert not keys or route.chain[-1] in paid


def test_without_a_key_the_lines_for_one_are_there_as_comments_and_are_right():
    hardware = MACHINES["24"]
    _, text = page(hardware, ("ollama",))
    assert "claude" not in parse_config(text, None, lambda *_: None).policy.models
    begin = text.index("# [engines.anthropic]")
    block = text[begin : text.index("\n\n", begin)]
    opened = block.replace("# [", "[").replace("\n# ", "\n").replace("\n#\n", "\n\n")
    with_cloud = parse_config(text.replace(block, opened), None, lambda *_: None)
    assert with_cloud.policy.models["claude"].engine == "anthropic"


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_every_paid_model_of_a_new_page_has_a_price_and_is_not_taken_for_a_local_one(cloud):
    _, text = page(MACHINES["8"], ("ollama",), (cloud.variable,))
    model = parse_config(text, None, find_price).policy.models[cloud.name]
    assert not model.local
    assert model.price is not None
    assert model.price.output > 0


def test_no_two_models_have_one_name():
    served = (
        Served(
            name="vllm",
            kind="openai_compatible",
            url="http://127.0.0.1:8000/v1",
            models=(("meta/Llama-4", None), ("openai/gpt-oss-120b", 131072)),
        ),
    )
    _, text = page(MACHINES["24"], ("ollama",), ("OPENAI_API_KEY",), served)
    models = tomllib.loads(text)["models"]
    assert models["llama"]["id"] == "llama3.1:8b"
    assert models["llama2"]["id"] == "meta/Llama-4"
    assert models["gpt"]["engine"] == "openai"
    assert models["gpt2"]["context"] == 131072


def test_the_toys_are_called_toys_in_the_page():
    text = write_page(draft_toys(room_for(MACHINES["no GPU"], ("llamacpp",))), MACHINES["no GPU"])
    assert {model["label"] for model in tomllib.loads(text)["models"].values()} == {"toy"}
    assert "TOYS" in text
    assert len(parse_config(text, None, lambda *_: None).policy.routes) == 5


def test_a_model_that_is_not_there_is_followed_by_one_that_is_before_anything_is_paid_for():
    homes = {"llama3.1:8b": Home("ollama", "llama3.1:8b", "Q4_K_M")}
    found = proposal(MACHINES["24"], ("ollama",), homes)
    drafted = draft(found, engines=("ollama",), urls={}, clouds=opened_by(WORDS))
    assert drafted.chain("code") == ("coder", "llama", "claude")
    assert drafted.with_models_there(["coder"]).chain("code") == ("coder", "claude")


# ── What is there, and the stack by its name ─────────────────────────────────────────────────────────────────────────


def test_what_is_there_is_preferred_where_it_does_the_role_well():
    office = CATALOGUE.sets[0]
    there = {
        name: Home("ollama", name, "Q4_K_M") for name in ("llama3.1:8b", "llama3.2:1b", "nomic-embed-text")
    }
    found = prefer(office, CATALOGUE, there)
    assert found.general == "llama3.1:8b", "a third of Mistral Small, and there"
    assert found.classification == "llama3.1:8b"
    assert found.code == office.code, "nothing that is there writes code"
    assert found.embeddings == "nomic-embed-text"
    assert prefer(office, CATALOGUE, {}) == office


def test_a_download_is_counted_only_for_what_is_missing():
    hardware = MACHINES["24"]
    homes = {
        "llama3.1:8b": Home("ollama", "llama3.1:8b-instruct-q8_0", "Q8_0"),
        "qwen2.5-coder:7b": Home("ollama", "qwen2.5-coder:7b", "Q4_K_M"),
        "nomic-embed-text": Home("ollama", "nomic-embed-text", "F16"),
    }
    found = propose(hardware, CATALOGUE, homes=homes)
    assert found.download == 0
    llama = next(pick for pick in found.picks if pick.model.name == "llama3.1:8b")
    assert llama.id == "llama3.1:8b-instruct-q8_0"
    assert llama.need.weights > 8_000_000_000, "it is planned with the file that is there"


def test_models_that_are_there_but_would_not_fit_push_nothing_off_the_card():
    homes = {"mistral-small:24b": Home("ollama", "mistral-small:24b", "Q4_K_M")}
    found = propose(MACHINES["24"], CATALOGUE, homes=homes)
    assert found.total <= found.room.gpu
    assert found.picks[0].model.name == "llama3.1:8b"


def test_the_agencys_stack_fits_a_card_of_24_gib_and_says_so_where_it_does_not():
    found = outfit(STACKS["agency"], MACHINES["24"], CATALOGUE)
    assert found.fits
    assert [(pick.id, pick.engine, pick.parallel) for pick in found.picks] == [
        ("llama3.1:8b", "ollama", 4),
        ("qwen2.5-coder:7b", "ollama", 4),
        ("phi-3-mini-128k-instruct", "lmstudio", 1),
        ("nomic-embed-text", "ollama", 1),
    ]
    small = outfit(STACKS["agency"], MACHINES["8"], CATALOGUE)
    assert not small.fits
    assert [pick.id for pick in small.picks] == [pick.id for pick in found.picks]
    text = write_page(draft(small, engines=("ollama", "lmstudio"), urls={}), MACHINES["8"])
    assert "do not fit" in text


@pytest.mark.parametrize("machine", MACHINES)
def test_the_longest_lane_of_each_model_fits_by_itself(machine):
    found = proposal(MACHINES[machine], ("ollama",))
    space = found.room.gpu or found.room.ram
    for pick in found.picks:
        contexts = contexts_of(pick, found.room)
        assert 1 <= len(contexts) <= 3
        assert list(contexts) == sorted(set(contexts))
        assert contexts[-1] <= pick.model.context
        if len(contexts) > 1:
            assert need(pick.model.shape_in(), contexts[-1], pick.parallel).total <= space


def test_the_embedded_engine_is_planned_on_the_processor_where_it_computes():
    assert room_for(MACHINES["24"], ("llamacpp",)).gpu == 0
    assert room_for(MACHINES["24"], ("ollama",)).gpu > 0
    found = propose(MACHINES["24"], CATALOGUE, ("llamacpp",))
    assert all(pick.id.startswith("hf.co/") for pick in found.picks)
