"""A conversation that began on one engine goes on at another: calls and results stay matched, in ids that it takes."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream_values import a_model, a_request, sent

from headgate.core.types import Image, Message, Text, Tool, ToolCall
from headgate.engines.profiles import (
    ANTHROPIC_RULES,
    GENERIC,
    LLAMA_SERVER,
    LMSTUDIO,
    NINE_LETTERS,
    OPENAI,
    OPENAI_COMPATIBLE,
)
from headgate.wire.upstream.anthropic_messages import TOOL_IDS as ANTHROPIC_IDS
from headgate.wire.upstream.anthropic_messages import AnthropicMessages
from headgate.wire.upstream.ollama_native import OllamaNative
from headgate.wire.upstream.openai_chat import OpenAIChat
from headgate.wire.upstream.tool_ids import ANY_ID, NO_RESULT, matched

ENGINES = {
    "OpenAI": (OpenAIChat(OPENAI), "gpt-4o", r".{1,40}"),
    "Mistral": (OpenAIChat(OPENAI_COMPATIBLE["mistral"]), "mistral-large-latest", r"[A-Za-z0-9]{9}"),
    "Groq": (OpenAIChat(OPENAI_COMPATIBLE["groq"]), "llama-3.3-70b", r".+"),
    "LM Studio": (OpenAIChat(LMSTUDIO), "qwen2.5-7b", r".+"),
    "llama-server": (OpenAIChat(LLAMA_SERVER), "toy-micro", r".+"),
    "a Mistral on llama-server": (OpenAIChat(LLAMA_SERVER), "Mistral-Nemo-Q4.gguf", r"[A-Za-z0-9]{9}"),
    "a Mistral on vLLM": (
        OpenAIChat(OPENAI_COMPATIBLE["vllm"]),
        "mistralai/Devstral-Small",
        r"[A-Za-z0-9]{9}",
    ),
    "Anthropic": (AnthropicMessages(ANTHROPIC_RULES), "claude-haiku-4-5", r"[A-Za-z0-9_-]{1,64}"),
    "Ollama": (OllamaNative(), "llama3.1:8b", r".+"),
}
IDS = {
    "OpenAI": ("call_abcDEF123", "call_xyz"),
    "Anthropic": ("toolu_01A09q90qw90lq917835lq9", "toolu_02"),
    "Ollama": ("call_0", "call_1"),
    "an old Ollama": ("", ""),
    "Mistral": ("a1b2c3d4e", "Zz9Yy8Xx7"),
    "Kimi": ("functions.look:0", "functions.look:1"),
    "letters that differ where Anthropic has none": ("call.1", "call:1"),
    "a very long one": ("fc_" + "0f" * 40, "fc_" + "0f" * 39 + "ab"),
    "one id for both": ("call_0", "call_0"),
    "a LM Studio": ("365174485", "365174486"),
}


def conversation(first, second):
    """Two rounds: two calls at once, then, on some engines under the same ids again, one more."""
    return (
        Message("user", "Look."),
        Message("assistant", "", (ToolCall(first, "look", '{"at":1}'), ToolCall(second, "hear", '{"at":2}'))),
        Message("tool", "a cat", tool_call_id=first),
        Message("tool", "a meow", tool_call_id=second),
        Message("assistant", "Once more.", (ToolCall(first, "look", '{"at":3}'),)),
        Message("tool", "a dog", tool_call_id=first),
        Message("user", "And?"),
    )


def said(out):
    """Calls as (id, argument) and results as (id, text), in the order in which any dialect says them."""
    calls, results = [], []
    for message in out["messages"]:
        for call in message.get("tool_calls") or ():
            arguments = call["function"]["arguments"]
            calls.append((call["id"], arguments["at"] if isinstance(arguments, dict) else int(arguments[6])))
        if message["role"] == "tool":
            results.append((message["tool_call_id"], message["content"]))
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block["type"] == "tool_use":
                calls.append((block["id"], block["input"]["at"]))
            elif block["type"] == "tool_result":
                results.append((block["tool_use_id"], block["content"][0]["text"]))
    return calls, results


@pytest.mark.parametrize("to", ENGINES)
@pytest.mark.parametrize("begun_on", IDS)
def test_calls_and_results_stay_matched_on_every_other_engine(begun_on, to):
    dialect, model_id, pattern = ENGINES[to]
    request = a_request(messages=conversation(*IDS[begun_on]), tools=(Tool("look"), Tool("hear")))
    calls, results = said(sent(dialect, request, a_model(model_id)))
    assert [at for _, at in calls] == [1, 2, 3]
    assert [text for _, text in results] == ["a cat", "a meow", "a dog"]
    assert [call_id for call_id, _ in calls] == [call_id for call_id, _ in results]
    assert len({call_id for call_id, _ in calls}) == 3
    assert all(re.fullmatch(pattern, call_id) for call_id, _ in calls)


@pytest.mark.parametrize("to", ENGINES)
def test_a_conversation_gets_the_same_ids_in_each_of_its_turns(to):
    dialect, model_id, _ = ENGINES[to]
    for begun_on, ids in IDS.items():
        whole = conversation(*ids)
        before = said(sent(dialect, a_request(messages=whole[:4]), a_model(model_id)))[0]
        after = said(sent(dialect, a_request(messages=whole), a_model(model_id)))[0]
        assert after[:2] == before, begun_on


def test_ids_that_fit_are_sent_as_they_came():
    messages = conversation("c1", "c2")[:4]
    assert matched(messages, ANY_ID) is messages
    assert matched(messages, ANTHROPIC_IDS) is messages
    plain = (Message("user", "Look."), Message("assistant", "What at?"), Message("user", "That."))
    assert matched(plain, NINE_LETTERS) is plain


def test_the_callers_own_bytes_are_sent_only_where_nothing_had_to_change():
    raw = b'[{"role":"user","content":"as it came"}]'
    for ids, spliced in ((("c1", "c2"), True), (("x" * 41, "c2"), False)):
        request = a_request(messages=conversation(*ids)[:4], raw_messages=msgspec.Raw(raw))
        out = sent(OpenAIChat(OPENAI), request, a_model("gpt-4o"))
        assert (out["messages"] == [{"role": "user", "content": "as it came"}]) is spliced


@pytest.mark.parametrize("to", ["OpenAI", "Mistral", "Anthropic", "Ollama"])
def test_what_was_changed_is_named(to):
    dialect, model_id, _ = ENGINES[to]
    odd = a_request(messages=conversation("", ""))
    assert any("tool call" in note for note in dialect.adjustments(odd, a_model(model_id)))
    fits = a_request(messages=conversation("a1b2c3d4e", "Zz9Yy8Xx7")[:4])
    assert not any("tool call" in note for note in dialect.adjustments(fits, a_model(model_id)))


def test_a_result_whose_call_was_cut_off_is_said_in_the_users_words():
    image = Image("data:image/png;base64,iVBORw0KGgo=")
    messages = (
        Message("tool", "a cat", tool_call_id="c0", name="look"),
        Message("tool", (Text("a dog"), image), tool_call_id="c1"),
        Message("user", "And?"),
    )
    first, second, last = matched(messages, ANTHROPIC_IDS)
    assert (first.role, first.text) == ("user", "The tool look, called earlier, gave this result:\n\na cat")
    assert (second.role, second.text) == ("user", "A tool, called earlier, gave this result:\na dog")
    assert second.images == (image,)
    assert last is messages[2]
    out = sent(AnthropicMessages(), a_request(messages=messages), a_model("claude-haiku-4-5"))
    assert [message["role"] for message in out["messages"]] == ["user"]
    assert all(block["type"] in ("text", "image") for block in out["messages"][0]["content"])


def test_a_call_without_a_result_gets_one_that_says_so():
    messages = (
        Message("user", "Look."),
        Message("assistant", "", (ToolCall("c1", "look", "{}"), ToolCall("c2", "hear", "{}"))),
        Message("tool", "a meow", tool_call_id="c2"),
        Message("user", "And?"),
    )
    told = matched(messages, ANY_ID)
    assert told[2] == Message("tool", NO_RESULT, tool_call_id="c1")
    assert told[3:] == messages[2:]
    assert matched(messages[:2], ANY_ID)[2:] == (
        Message("tool", NO_RESULT, tool_call_id="c1"),
        Message("tool", NO_RESULT, tool_call_id="c2"),
    )


def test_results_follow_their_calls_whatever_stood_between_them():
    messages = (
        Message("assistant", "", (ToolCall("c1", "look", "{}"),)),
        Message("assistant", "", (ToolCall("c2", "hear", "{}"),)),
        Message("user", "Hurry."),
        Message("tool", "a meow", tool_call_id="c2"),
        Message("tool", "a cat", tool_call_id="c1"),
        Message("tool", "a cat again", tool_call_id="c1"),
    )
    told = matched(messages, ANY_ID)
    assert [message.text for message in told[:5]] == ["", "a cat", "", "a meow", "Hurry."]
    assert (told[5].role, told[5].text.endswith("a cat again")) == ("user", True)


def test_results_without_ids_find_their_calls_by_name_and_then_by_order():
    calls = (ToolCall("", "look", "{}"), ToolCall("", "hear", "{}"), ToolCall("c3", "look", "{}"))
    messages = (
        Message("assistant", "", calls),
        Message("tool", "a meow", name="hear"),
        Message("tool", "a cat"),
        Message("tool", "a dog", name="look"),
    )
    assert [message.text for message in matched(messages, ANY_ID)[1:]] == ["a cat", "a meow", "a dog"]


TURNS = st.one_of(
    st.builds(Message, st.just("user"), st.just("Hm.")),
    st.builds(
        lambda ids: Message("assistant", "", tuple(ToolCall(one, "look", "{}") for one in ids)),
        st.lists(st.sampled_from(["", "c1", "c2", "c.1", "c:1"]), max_size=3),
    ),
    st.builds(
        lambda one, name: Message("tool", "a cat", tool_call_id=one, name=name),
        st.sampled_from([None, "", "c1", "c2", "c.1"]),
        st.sampled_from([None, "look"]),
    ),
)


@given(st.lists(TURNS, max_size=12).map(tuple), st.sampled_from([ANY_ID, ANTHROPIC_IDS, NINE_LETTERS]))
def test_any_conversation_ends_up_with_every_call_answered_right_after_it_and_nothing_lost(messages, ids):
    told = matched(messages, ids)
    calls = [call.id for message in told for call in message.tool_calls]
    assert len(calls) == len(set(calls))
    assert all(ids.fits(call) for call in calls)
    for at, message in enumerate(told):
        following = told[at + 1 : at + 1 + len(message.tool_calls)]
        assert [m.tool_call_id for m in following if m.role == "tool"] == [c.id for c in message.tool_calls]
    assert sum(m.role == "tool" for m in told) == len(calls)
    assert sum("a cat" in m.text for m in told) == sum("a cat" in m.text for m in messages)
    assert matched(told, ids) is told


def test_a_generic_server_takes_any_id():
    messages = conversation("365174485", "call_1")[:4]
    out = sent(OpenAIChat(GENERIC), a_request(messages=messages), a_model("toy-micro"))
    assert [call["id"] for call in out["messages"][1]["tool_calls"]] == ["365174485", "call_1"]
