"""Whether models fit a machine's memory: alone, together, and with which contexts; and what is proposed and advised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.catalogue import known_models
from headgate.core.advice import advise, alternatives, offer
from headgate.core.catalogue import ROLES
from headgate.core.fit import CLASSES, VERDICTS, Room, classes_of, fit, lanes, place, together
from headgate.core.hardware import Gpu, Hardware, imagine, room_of
from headgate.core.memory import GIB, Need, need
from headgate.core.propose import propose

CATALOGUE = known_models()
MODELS = CATALOGUE.models


def shape(name):
    return MODELS[name].shape_in()


CARD_24 = Room(gpu=24 * GIB - GIB // 2, ram=42 * GIB)


@pytest.mark.parametrize(
    ("name", "context", "parallel", "verdict", "largest"),
    [
        ("phi-3-mini-128k", 131_072, 1, "partly", 32_768),
        ("phi-3-mini-128k", 32_768, 1, "gpu", 32_768),
        ("phi-4-mini", 131_072, 1, "gpu", 131_072),
        ("llama3.1:8b", 131_072, 1, "gpu", 131_072),
        ("llama3.1:8b", 131_072, 4, "not at all", 32_768),
        ("qwen2.5:7b", 32_768, 4, "gpu", 32_768),
        ("codellama:7b", 16_384, 4, "partly", 8_192),
        ("nomic-embed-text", 2_048, 1, "gpu", 2_048),
    ],
)
def test_what_fits_a_card_of_24_gib(name, context, parallel, verdict, largest):
    found = fit(shape(name), CARD_24, context, parallel)
    assert (found.verdict, found.largest, found.largest_verdict) == (verdict, largest, "gpu")


@pytest.mark.parametrize(
    ("room", "verdict"),
    [
        (Room(gpu=8 * GIB, ram=0), "gpu"),
        (Room(gpu=4 * GIB, ram=8 * GIB), "partly"),
        (Room(gpu=GIB // 2, ram=8 * GIB), "cpu"),
        (Room(ram=8 * GIB), "cpu"),
        (Room(gpu=4 * GIB, ram=1 * GIB), "not at all"),
        (Room(ram=4 * GIB), "not at all"),
        (Room(gpu=4 * GIB, ram=8 * GIB, unified=True), "partly"),
        (Room(gpu=4 * GIB, ram=6 * GIB, unified=True), "not at all"),
    ],
)
def test_where_a_model_of_seven_gib_runs(room, verdict):
    seven = Need(weights=5 * GIB, kv=GIB, overhead=GIB, context=8_192, parallel=1)
    assert place(seven, 32, room)[0] == verdict


def test_a_model_of_unknown_size_is_placed_by_what_is_known_of_it():
    small = Need(weights=0, kv=0, overhead=GIB, context=8_192, parallel=1)
    assert place(small, 32, Room(gpu=GIB // 2, ram=2 * GIB)) == ("cpu", 0)


def test_layers_on_the_gpu_take_their_share_of_weights_and_cache():
    # 33 equal parts of 6 GiB, of which 3 GiB hold 16 beside the overhead of 1 GiB
    assert place(
        Need(weights=5 * GIB, kv=GIB, overhead=GIB, context=1, parallel=1), 32, Room(gpu=4 * GIB, ram=8 * GIB)
    ) == (
        "partly",
        16,
    )


ROOMS = st.builds(Room, gpu=st.integers(0, 100 * GIB), ram=st.integers(0, 100 * GIB), unified=st.booleans())
NAMES = st.sampled_from(sorted(MODELS))


@given(NAMES, ROOMS, st.integers(1, 200_000), st.integers(1, 8))
def test_more_memory_is_never_worse(name, room, context, parallel):
    found = fit(shape(name), room, context, parallel)
    bigger = fit(
        shape(name), Room(gpu=room.gpu + GIB, ram=room.ram + GIB, unified=room.unified), context, parallel
    )
    assert VERDICTS.index(bigger.verdict) <= VERDICTS.index(found.verdict)
    assert 0 <= found.on_gpu <= found.layers


@given(NAMES, ROOMS, st.integers(1, 8))
def test_lanes_are_few_and_each_fits(name, room, parallel):
    model = shape(name)
    found = lanes(model, room, parallel)
    assert len(found) <= 3
    assert [lane.context for lane in found] == sorted({lane.context for lane in found})
    for lane in found:
        assert need(model, lane.context, lane.parallel).total <= (room.gpu or room.ram)
        assert 1 <= lane.parallel <= parallel


def test_a_model_gets_a_short_a_middle_and_a_long_lane():
    found = lanes(shape("llama3.1:8b"), CARD_24, 4)
    assert [(lane.context, lane.parallel) for lane in found] == [(8_192, 4), (32_768, 4), (131_072, 1)]


def test_where_only_short_contexts_fit_there_are_two_lanes():
    found = lanes(shape("phi-3-mini-128k"), Room(gpu=7 * GIB, ram=8 * GIB), 1)
    assert [lane.context for lane in found] == [4_096, 8_192]
    assert lanes(shape("mistral-small:24b"), Room(gpu=7 * GIB, ram=8 * GIB)) == ()


def test_a_model_gets_no_class_beyond_what_it_was_trained_for():
    assert classes_of(shape("qwen3:4b"))[-1] == 32_768
    assert classes_of(shape("mxbai-embed-large")) == (512,)
    assert classes_of(shape("llama3.1:8b")) == CLASSES[:-1]


def test_models_that_fit_alone_but_not_together_are_told_apart():
    needs = {
        name: need(shape(name), context, 4)
        for name, context in {
            "llama3.1:8b": 16_384,
            "qwen2.5-coder:7b": 16_384,
            "gemma3:12b": 16_384,
            "nomic-embed-text": 2_048,
            "phi-3-mini-128k": 131_072,
        }.items()
    }
    found = together(needs, CARD_24)
    assert not found.fits
    assert found.warm == ("llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text")
    assert found.swapped == ("gemma3:12b",)
    assert found.beyond == ("phi-3-mini-128k",)
    assert found.total == sum(one.total for one in needs.values())


# ── What is proposed ─────────────────────────────────────────────────────────────────────────────────────────────────


def apple(gib, share):
    gpu = Gpu(name="Apple", vendor="apple", total=int(gib * share * GIB), unified=True)
    return Hardware(gpus=(gpu,), ram_total=gib * GIB)


MACHINES = {
    "48": imagine(48 * GIB),
    "24": imagine(24 * GIB),
    "16": imagine(16 * GIB),
    "12": imagine(12 * GIB),
    "8": imagine(8 * GIB),
    "Apple 16": apple(16, 2 / 3),
    "Apple 36": apple(36, 3 / 4),
    "CPU 16": imagine(0, 16 * GIB),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("engines", [("ollama",), ("ollama", "lmstudio"), ("llamacpp",)])
def test_a_proposed_set_has_every_role_and_fits_at_once(machine, engines):
    found = propose(MACHINES[machine], CATALOGUE, engines)
    roles = sorted(role for pick in found.picks for role in pick.roles)
    assert roles == ["classification", "code", "embeddings", "general"]
    assert 0 < found.total <= (found.room.gpu or found.room.ram)
    for pick in found.picks:
        assert pick.engine in engines
        assert pick.id
        assert pick.context <= pick.model.context
        assert pick.need == need(pick.model.shape_in(), pick.context, pick.parallel)
    at_a_time = {p.parallel for p in found.picks if p.engine == "ollama" and "embeddings" not in p.roles}
    assert len(at_a_time) <= 1, "OLLAMA_NUM_PARALLEL is one number for all models"


def names(machine, *engines):
    return [pick.id for pick in propose(MACHINES[machine], CATALOGUE, engines).picks]


def test_a_card_of_24_gib_gets_the_users_stack_with_a_phi_that_fits():
    found = propose(MACHINES["24"], CATALOGUE, ("ollama", "lmstudio"))
    assert [(pick.id, pick.engine, pick.parallel) for pick in found.picks] == [
        ("llama3.1:8b", "ollama", 4),
        ("qwen2.5-coder:7b", "ollama", 4),
        ("phi-4-mini-instruct", "lmstudio", 1),
        ("nomic-embed-text", "ollama", 1),
    ]


def test_smaller_machines_get_smaller_sets():
    assert names("48", "ollama")[0] == "mistral-small:24b"
    assert names("16", "ollama") == ["llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text"]
    assert names("12", "ollama") == ["llama3.1:8b", "qwen2.5-coder:1.5b", "nomic-embed-text"]
    assert names("8", "ollama")[0] == "phi4-mini"
    assert names("CPU 16", "ollama")[0] == "phi4-mini"
    assert names("Apple 36", "ollama", "lmstudio") == names("24", "ollama", "lmstudio")


def test_where_nothing_fits_nothing_is_proposed():
    found = propose(imagine(0, 2 * GIB), CATALOGUE)
    assert (found.picks, found.total, found.download) == ((), 0, 0)


def test_what_loaded_models_hold_may_be_had_back():
    busy = Hardware(
        gpus=(Gpu(name="card", vendor="nvidia", total=24 * GIB, free=4 * GIB),), ram_total=32 * GIB
    )
    assert room_of(busy).gpu == 4 * GIB
    assert room_of(busy, held=18 * GIB).gpu == 22 * GIB
    assert room_of(busy, held=90 * GIB).gpu == 24 * GIB - GIB // 2


def test_cards_of_two_vendors_are_not_added_up():
    one = Gpu(name="card", vendor="nvidia", total=8 * GIB)
    other = Gpu(name="built in", vendor="amd", total=4 * GIB)
    assert room_of(Hardware(gpus=(one, other, one), ram_total=32 * GIB)).gpu == 15 * GIB


def test_memory_of_unknown_size_is_not_planned_with():
    blind = Hardware(gpus=(Gpu(name="card", vendor="nvidia"),))
    assert room_of(blind) == Room(gpu=0, ram=0)
    assert room_of(apple(16, 2 / 3)).ram == 14 * GIB


# ── What is advised ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_users_phi_is_told_what_is_wrong_and_what_fits():
    phi = shape("phi-3-mini-128k")
    found = fit(phi, CARD_24, 131_072)
    said = " ".join(advise("Phi-3-mini", phi, found, CARD_24))
    assert "Phi-3-mini does not fit on the GPU with 131,072 tokens" in said
    assert "its f16 cache alone takes 48.0 GiB (384 KiB a token, because each of its 32 heads" in said
    assert "It fits with 32,768 tokens, or with 65,536 and a q8_0 cache" in said
    others = alternatives(phi, found, CARD_24, MODELS["phi-3-mini-128k"], CATALOGUE)
    assert [model.name for model in others] == ["phi-4-mini", "llama3.2:3b", "llama3.1:8b"]
    assert "phi-4-mini (19.6 GiB in all, 128 KiB of cache a token)" in offer(others, 131_072, "f16")[0]


@pytest.mark.parametrize(
    ("name", "room", "context", "parallel", "words"),
    [
        ("llama3.1:8b", CARD_24, 8_192, 4, []),
        ("llama3.1:8b", Room(ram=20 * GIB), 8_192, 4, []),
        ("llama3.1:8b", CARD_24, 131_072, 4, ["4 requests at a time", "131,072 and one request at a time"]),
        (
            "mistral-small:24b",
            Room(gpu=8 * GIB, ram=20 * GIB),
            8_192,
            1,
            ["its weights alone take 13.3 GiB", "slowly"],
        ),
        ("mistral-small:24b", Room(gpu=GIB, ram=20 * GIB), 8_192, 1, ["run on the processor: slowly"]),
        ("mistral-small:24b", Room(ram=8 * GIB), 8_192, 1, ["does not fit in the RAM"]),
        ("qwen2.5:7b", CARD_24, 65_536, 1, ["was trained for 32,768 tokens, so 65,536 are of no use"]),
    ],
)
def test_advice_says_what_is_too_big_and_only_then(name, room, context, parallel, words):
    said = " ".join(advise(name, shape(name), fit(shape(name), room, context, parallel), room))
    assert bool(said) == bool(words)
    for word in words:
        assert word in said


@given(NAMES, ROOMS, st.integers(1, 200_000), st.integers(1, 8))
def test_whatever_is_advised_to_fit_does(name, room, context, parallel):
    model = shape(name)
    found = fit(model, room, context, parallel)
    for other in alternatives(model, found, room, MODELS[name], CATALOGUE):
        assert need(other.shape_in(), context).total <= (room.gpu or room.ram)
        assert set(other.roles) & set(MODELS[name].roles)


# ── What is known ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "name", "quantization"),
    [
        ("llama3.1:8b", "llama3.1:8b", "Q4_K_M"),
        ("Llama3.1:8b", "llama3.1:8b", "Q4_K_M"),
        ("llama3.1", "llama3.1:8b", "Q4_K_M"),
        ("mistral-small:latest", "mistral-small:24b", "Q4_K_M"),
        ("qwen2.5-coder", "qwen2.5-coder:7b", "Q4_K_M"),
        ("nomic-embed-text:latest", "nomic-embed-text", "F16"),
        ("phi-3-mini-128k-instruct", "phi-3-mini-128k", "Q4_K_M"),
        ("phi4-mini", "phi-4-mini", "Q4_K_M"),
        ("llama3.1:8b-instruct-q8_0", "llama3.1:8b", "Q8_0"),
        ("qwen2.5-7b-instruct@q8_0", "qwen2.5:7b", "Q8_0"),
        ("llama3.1:8b-instruct-fp16", "llama3.1:8b", "F16"),
        ("llama3.1:8b-instruct-q4_K_M", "llama3.1:8b", "Q4_K_M"),
    ],
)
def test_a_model_is_known_by_the_names_that_engines_give_it(asked, name, quantization):
    model, said = CATALOGUE.find(asked)
    assert (model.name, said) == (name, quantization)
    assert model.shape_in(said).weights == model.sizes[said]


@pytest.mark.parametrize(
    "asked",
    [
        "llama3.1:70b",
        "llama3.1:8b-instruct-q2_K",
        "llama3.1:8b-instruct-fp16x",
        "qwen2.5-coder:32b",
        "nomic-embed-text-v2-moe",
        "deepseek-r1:8b-llama-distill-q4_K_M",
        "",
    ],
)
def test_another_model_or_an_unknown_quantization_is_not_known(asked):
    assert CATALOGUE.find(asked) is None


@pytest.mark.parametrize("name", MODELS)
def test_every_known_model_is_sound(name):
    model = MODELS[name]
    facts = model.shape_in()
    assert set(model.roles) <= set(ROLES)
    assert facts.windowed < facts.layers
    assert (facts.window is None) == (facts.windowed == 0)
    assert facts.embeds == ("embeddings" in model.roles) == (model.dimensions is not None)
    bits = 8 * model.size / model.parameters
    assert {"Q4_0": 4.4, "Q4_K_M": 4.7, "MXFP4": 4.2, "Q8_0": 8.3, "F16": 15.5}[model.quantization] < bits
    assert bits < {"Q4_0": 5.0, "Q4_K_M": 5.5, "MXFP4": 5.5, "Q8_0": 9, "F16": 17}[model.quantization]


def test_every_set_names_known_models_of_its_roles():
    for one in CATALOGUE.sets:
        assert "general" in MODELS[one.general].roles
        assert "classification" in MODELS[one.classification].roles
        assert "embeddings" in MODELS[one.embeddings].roles
        assert "code" in MODELS[one.code].roles or one.code == one.general
