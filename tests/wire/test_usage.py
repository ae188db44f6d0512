"""Usage as each provider writes it: its published examples, and figures that cannot be."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_values import a_model, a_request

from headgate.core.parts import PARTS, PROMPT, REASONING, WHOLE, named
from headgate.core.types import Reply, Usage
from headgate.core.usage import added
from headgate.engines.profiles import DIALECTS, EMBEDDERS, OPENAI_COMPATIBLE
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.usage import Guess, openai_usage

MODEL, REQUEST = a_model(), a_request("Is it so?")
EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "usage" / "examples.json").read_bytes())
OPENAI = OpenAIChat(OPENAI_COMPATIBLE["openai_compatible"])
OPENROUTER = OpenAIChat(OPENAI_COMPATIBLE["openrouter"])
TEXT = "Yes, it is."


def read(example, text=TEXT):
    """The reply to a whole body with this usage."""
    told = {key: example[key] for key in ("usage", "timings", "x_groq", "service_tier") if key in example}
    if example["dialect"] == "anthropic":
        body = {
            "type": "message",
            "model": MODEL.id,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
        }
        return DIALECTS["anthropic"].decode_reply(json.dumps(body | told).encode(), REQUEST, MODEL)
    if example["dialect"] == "ollama":
        body = {"model": MODEL.id, "message": {"role": "assistant", "content": text}, "done": True}
        return DIALECTS["ollama"].decode_reply(
            json.dumps(body | told.get("usage", {})).encode(), REQUEST, MODEL
        )
    dialect = OPENROUTER if example["dialect"] == "openrouter" else OPENAI
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"model": MODEL.id, "choices": [choice]}
    return dialect.decode_reply(json.dumps(body | told).encode(), REQUEST, MODEL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_a_published_example_is_read_as_its_provider_means_it(example):
    assert example["from"].startswith("https://")
    assert example["figures"] in ("page", "quoted", "ours")
    expected = dict(example["expected"])
    bits = sum(PARTS[name] for name in expected.pop("estimated", ()))
    reply = read(example)
    assert isinstance(reply, Reply), reply
    assert reply.usage == Usage(**expected, estimated=bits)
    assert reply.usage.exact


@pytest.mark.parametrize("place", ["global", "not_available", "", None, 3])
def test_an_answer_that_was_computed_anywhere_is_served_as_usual(place):
    told = {"input_tokens": 25, "output_tokens": 150, "inference_geo": place}
    assert read({"dialect": "anthropic", "usage": told}).usage == Usage(input=25, output=150)


def chunks(*pieces):
    head = {"object": "chat.completion.chunk", "model": MODEL.id}
    return b"".join(b"data: " + json.dumps(head | piece).encode() + b"\n\n" for piece in pieces)


def said(text, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def test_groqs_usage_of_a_stream_is_found_under_its_own_name():
    stream = OPENAI.stream_decoder(REQUEST, MODEL)
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    stream.feed(
        chunks(said("Hello"), last | {"x_groq": {"usage": {"prompt_tokens": 38, "completion_tokens": 4}}})
    )
    stream.feed(b"data: [DONE]\n\n")
    assert stream.finish().usage == Usage(input=38, output=4)


def test_a_stream_cut_before_its_usage_is_estimated_in_every_part():
    stream = OPENAI.stream_decoder(REQUEST, MODEL)
    stream.feed(chunks(said("Twelve bytes")))
    usage = stream.finish().usage
    assert (usage.output, usage.estimated) == (3, WHOLE)
    assert usage.input > 0


def test_a_stream_cut_after_a_usage_of_its_middle_keeps_the_prompt_and_estimates_the_output():
    stream = OPENAI.stream_decoder(REQUEST, MODEL)
    stream.feed(
        chunks(said("x" * 400) | {"usage": {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51}})
    )
    usage = stream.finish().usage
    assert (usage.input, usage.output, named(usage.estimated)) == (50, 100, ("output",))
    assert usage.has_exact(PROMPT)
    assert not usage.exact


def test_thinking_that_is_seen_and_not_counted_is_its_share_of_the_output():
    message = {"role": "assistant", "content": "b" * 40, "reasoning_content": "a" * 120}
    body = {"model": MODEL.id, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    told = {"usage": {"prompt_tokens": 9, "completion_tokens": 80, "total_tokens": 89}}
    usage = OPENAI.decode_reply(json.dumps(body | told).encode(), REQUEST, MODEL).usage
    assert usage == Usage(input=9, output=80, reasoning=60, estimated=REASONING)
    assert usage.exact, "how much of it was thinking changes no price"


def test_cached_pictures_leave_open_what_of_the_prompt_they_are():
    details = {"cached_tokens": 60, "image_tokens": 50}
    usage = read(
        {
            "dialect": "openai",
            "usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": details},
        }
    ).usage
    assert (usage.input, usage.cache_read, usage.images, named(usage.estimated)) == (40, 60, 40, ("images",))


def test_vectors_have_no_output_and_are_exact_without_one():
    from msgspec.structs import replace

    asked = replace(REQUEST, kind="embedding")
    body = {
        "model": MODEL.id,
        "data": [{"embedding": [0.5, 0.5], "index": 0}],
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    dialect = EMBEDDERS["openai_compatible"]
    assert dialect.decode_reply(json.dumps(body).encode(), asked, MODEL).usage == Usage(input=8)
    body.pop("usage")
    estimated = dialect.decode_reply(json.dumps(body).encode(), asked, MODEL).usage
    assert (estimated.output, estimated.estimated) == (0, PROMPT)


# ── Figures that cannot be ───────────────────────────────────────────────────────────────────────────────────────────

figures = (
    st.integers(-10, 300)
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([None, True, "12", [], {}, "", 7.0])
)


def objects(**fields):
    return st.fixed_dictionaries({}, optional=fields) | figures


openai_usages = objects(
    prompt_tokens=figures,
    completion_tokens=figures,
    input_tokens=figures,
    output_tokens=figures,
    total_tokens=figures,
    prompt_cache_hit_tokens=figures,
    prompt_cache_miss_tokens=figures,
    cache_creation_input_tokens=figures,
    cost=figures,
    is_byok=figures,
    cost_details=objects(upstream_inference_cost=figures),
    prompt_tokens_details=objects(
        cached_tokens=figures, cache_write_tokens=figures, audio_tokens=figures, image_tokens=figures
    ),
    completion_tokens_details=objects(reasoning_tokens=figures, audio_tokens=figures),
)
anthropic_usages = objects(
    input_tokens=figures,
    cache_read_input_tokens=figures,
    cache_creation_input_tokens=figures,
    cache_creation=objects(ephemeral_5m_input_tokens=figures, ephemeral_1h_input_tokens=figures),
    output_tokens=figures,
    output_tokens_details=objects(thinking_tokens=figures),
    server_tool_use=objects(web_search_requests=figures),
    service_tier=figures,
    speed=figures,
)
ollama_usages = st.fixed_dictionaries({}, optional={"prompt_eval_count": figures, "eval_count": figures})
MOST = 5 * 2**31


@settings(max_examples=400, deadline=None)
@given(
    example=st.one_of(
        st.fixed_dictionaries(
            {
                "dialect": st.sampled_from(["openai", "openrouter"]),
                "usage": openai_usages,
                "timings": objects(cache_n=figures, prompt_n=figures, predicted_n=figures),
                "x_groq": objects(usage=openai_usages),
                "service_tier": figures,
            }
        ),
        st.fixed_dictionaries({"dialect": st.just("anthropic"), "usage": anthropic_usages}),
        st.fixed_dictionaries({"dialect": st.just("ollama"), "usage": ollama_usages}),
    )
)
def test_no_figure_costs_an_answer_and_shares_never_exceed_their_whole(example):
    reply = read(example)
    assert isinstance(reply, Reply), reply
    assert reply.text == TEXT
    usage = reply.usage
    for name in PARTS:
        assert 0 <= getattr(usage, name) <= MOST, name
    assert usage.images + usage.audio <= usage.input
    assert usage.reasoning + usage.audio_output <= usage.output
    assert usage.prompt > 0 or example["dialect"] == "anthropic", "no prompt has no tokens"
    assert usage.output > 0 or example["dialect"] == "anthropic", "something was written"
    assert usage.charged is None or 0 <= usage.charged <= 2_000_000, "no attempt costs more"


@given(prompt=figures, output=figures, total=figures | st.none(), fits=st.booleans(), thought=st.booleans())
def test_the_short_way_for_a_plain_usage_finds_the_same(prompt, output, total, fits, thought):
    if fits and type(prompt) is int and type(output) is int:
        total = prompt + output
    fields = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total}
    guess = Guess(a_request(), ["Well, it rained."], ["Hm."] if thought else [])
    assert openai_usage(fields, guess) == openai_usage(fields | {"its own": 1}, guess)


counts = st.integers(1, 1_000_000)


@given(prompt=counts, output=counts, shares=st.tuples(*[st.floats(0, 1)] * 4))
def test_what_openai_counts_sums_to_its_whole(prompt, output, shares):
    read_tokens = int(prompt * shares[0])
    written = int((prompt - read_tokens) * shares[1])
    audio = 0 if read_tokens or written else int(prompt * shares[2])
    usage = read(
        {
            "dialect": "openai",
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": output,
                "total_tokens": prompt + output,
                "prompt_tokens_details": {
                    "cached_tokens": read_tokens,
                    "cache_write_tokens": written,
                    "audio_tokens": audio,
                },
                "completion_tokens_details": {"reasoning_tokens": int(output * shares[3])},
            },
        }
    ).usage
    assert (usage.prompt, usage.output, usage.exact) == (prompt, output, True)
    assert (usage.cache_read, usage.cache_write_5m, usage.audio) == (read_tokens, written, audio)
    assert usage.reasoning == int(output * shares[3])


@given(st.tuples(*[counts] * 5))
def test_what_anthropic_counts_stands_beside_each_other(parts):
    fresh, read_tokens, minutes, hour, output = parts
    usage = read(
        {
            "dialect": "anthropic",
            "usage": {
                "input_tokens": fresh,
                "cache_read_input_tokens": read_tokens,
                "cache_creation_input_tokens": minutes + hour,
                "cache_creation": {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour},
                "output_tokens": output,
            },
        }
    ).usage
    assert usage == Usage(
        input=fresh, cache_read=read_tokens, cache_write_5m=minutes, cache_write_1h=hour, output=output
    )
    assert usage.prompt == fresh + read_tokens + minutes + hour


usages = st.builds(
    Usage,
    **{name: st.integers(0, 1000) for name in PARTS},
    service=st.sampled_from(["", "batch"]),
    charged=st.none() | st.floats(0, 1),
    estimated=st.integers(0, 511),
)


@given(st.lists(usages, max_size=4))
def test_usages_add_up_part_by_part_and_are_exact_where_all_of_them_are(several):
    whole = added(several)
    for name, bit in PARTS.items():
        assert getattr(whole, name) == sum(getattr(one, name) for one in several)
        assert bool(whole.estimated & bit) == any(one.estimated & bit for one in several)
    assert (whole.charged is None) == (not several or any(one.charged is None for one in several))
