"""What a double says: an answer in no dialect yet, and the deterministic arithmetic around it.

Nothing here is clever on purpose. Tokens are counted as bytes, vectors come from hashed words, a schema is met by the
smallest instance that fits, so that a test can predict every figure. No model is involved and no quality is implied.
"""

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from headgate.testing.calls import ReceivedCall, text_of
from headgate.testing.clock import Timing

Finish = Literal["stop", "length", "tool_calls", "content_filter"]

_PIECE = re.compile(r"\s*\S+(?:\s+$)?|\s+")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants `name` called with `arguments` (an object; each dialect writes it in its own way).

    A text is what a model wrote instead of an object. Only OpenAI's dialect, whose arguments are a text, can show it.
    """

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model.

    Token counts left at None are estimated with `count_tokens`. `logprob` is the log-probability reported for every
    token when the client asks for them. `delay` (seconds) passes before the first byte of the answer, `chunk_delay`
    between the pieces of a stream.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    finish: Finish = "stop"
    logprob: float | None = None
    alternatives: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Word of the answer → what might have stood in its place, with its log-probability; shown where `top_logprobs` is asked."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    delay: float = 0.0
    chunk_delay: float = 0.0
    stopped_by: str | None = None
    """The stop sequence that ended the answer; set by the double, not by hand."""


Answering = str | Answer | Callable[[ReceivedCall], "str | Answer"]
"""What the caller of a double may give as its answer: fixed, or a function of the call (it runs on the event loop)."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model a double pretends to have. `context` and `output` are in tokens, `size` in bytes.

    `remote_host` marks an Ollama model that lives in the cloud although it is listed locally; `cuts_prompts` says whether Ollama cuts
    what is too long for it in silence, as with a Go template, or refuses it, as with a Jinja one. The facts from `layers` on stand in a
    model's file and decide how much memory it takes; those of Llama 3.1 8B are the default. Where `key_length` is None, the
    file does not say it, and readers must divide `embedding` by `heads`. Two models with other facts, or another `revision`, are
    other files, with another digest.
    """

    context: int = 8192
    kind: Literal["chat", "embedding"] = "chat"
    tools: bool = True
    thinking: bool = False
    vision: bool = False
    loaded: bool = False
    dimensions: int = 64
    output: int = 64_000
    size: int = 4_920_753_328
    family: str = "llama"
    parameters: str = "8.0B"
    quantization: str = "Q4_K_M"
    remote_host: str | None = None
    cuts_prompts: bool = True
    layers: int = 32
    heads: int = 32
    kv_heads: int | tuple[int, ...] = 8
    key_length: int | None = None
    value_length: int | None = None
    embedding: int = 4096
    feed_forward: int = 14_336
    vocabulary: int = 128_256
    window: int | None = None
    revision: str = ""

    @property
    def width(self) -> int:
        """Numbers in the state of one token; of an embedding model, those of its vectors."""
        return self.dimensions if self.kind == "embedding" else self.embedding

    @property
    def kv_heads_by_layer(self) -> tuple[int, ...]:
        """Heads of keys and values in each layer."""
        return (self.kv_heads,) * self.layers if isinstance(self.kv_heads, int) else self.kv_heads

    @property
    def key_numbers(self) -> int:
        """Numbers in one key of one head."""
        return self.key_length or self.width // self.heads

    @property
    def value_numbers(self) -> int:
        """Numbers in one value of one head."""
        return self.value_length or self.key_numbers


def count_tokens(text: str) -> int:
    """The doubles' tokenizer: four bytes make a token, one more for the rest; no text, no tokens."""
    return len(text.encode()) // 4 + 1 if text else 0


def count_prompt(call: ReceivedCall) -> int:
    """Tokens in everything the client sent as prompt: messages, system text, tools."""
    body = call.fields
    texts = [text_of(m.get("content")) for m in call.messages]
    texts += [text_of(body.get(name)) for name in ("system", "prompt", "input", "suffix")]
    if body.get("tools"):
        texts.append(json.dumps(body["tools"]))
    return sum(map(count_tokens, texts))


def pieces(text: str) -> list[str]:
    """The text cut into word-sized pieces, as a stream would carry it; joined they are the text again."""
    return _PIECE.findall(text)


def limited(answer: Answer, most: int | None, stops: list[str] | None = None) -> Answer:
    """The answer as a model would give it under a token limit and stop sequences; None or below 0: no limit."""
    for stop in stops or ():
        head, found, _ = answer.text.partition(stop)
        if found:
            answer = replace(answer, text=head, finish="stop", stopped_by=stop, output_tokens=None)
    if most is None or most < 0 or count_tokens(answer.text) <= most:
        return answer
    cut = answer.text.encode()[: max(most * 4 - 1, 0)].decode(errors="ignore")
    return replace(answer, text=cut, finish="length", output_tokens=None)


def paced(answer: Answer, prompt_tokens: int, timing: Timing, *, streamed: bool) -> Answer:
    """The answer with the time that its prompt and its own tokens take, besides its own delays."""
    if not timing.prompt_token and not timing.token:
        return answer
    delay = answer.delay + prompt_tokens * timing.prompt_token
    written = output_tokens(answer) * timing.token
    if not streamed:
        return replace(answer, delay=delay + written)
    each = written / (len(pieces(answer.text)) + len(pieces(answer.reasoning or "")) or 1)
    return replace(answer, delay=delay + each, chunk_delay=answer.chunk_delay + each)


def output_tokens(answer: Answer) -> int:
    """What the answer costs: its own figure, or an estimate over text, reasoning and tool arguments."""
    if answer.output_tokens is not None:
        return answer.output_tokens
    said = count_tokens(answer.text) + count_tokens(answer.reasoning or "")
    return said + sum(count_tokens(c.name + json.dumps(c.arguments)) for c in answer.tool_calls)


def default_answer(call: ReceivedCall, label: str) -> Answer:
    """What a double says when nobody told it: the smallest instance of the schema, a forced tool call, or a line of text."""
    if call.schema is not None:
        return Answer(json.dumps(minimal_instance(call.schema)))
    choice = call.fields.get("tool_choice")
    forced = choice == "required" or (
        isinstance(choice, dict) and choice.get("type") in {"any", "tool", "function"}
    )
    if forced and call.tools:
        tool = call.tools[0]
        return Answer(
            tool_calls=(ToolCall(tool["name"], minimal_instance(tool["schema"])),), finish="tool_calls"
        )
    return Answer(f"[{label}] This answer was made up by a test double; no model ran.")


def minimal_instance(schema: Any) -> Any:
    """The smallest value that fits a simple schema: the first enum member, only required keys, shortest strings.

    Understands const, default, enum, anyOf/oneOf (first branch), local `$ref`, type, required, minItems, minimum,
    minLength. Patterns, formats and conditionals are not understood; the result may then not validate.
    """
    return _instance(schema, schema)


def _instance(schema: Any, root: Any) -> Any:
    if not isinstance(schema, dict):
        return {}
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        target = root
        for name in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target.get(name, {}) if isinstance(target, dict) and name else target
        return _instance(target, root)
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _instance(schema[key][0], root)
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "string":
            return "x" * max(int(schema.get("minLength", 1)), 1)
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            return max(least, 0) if "maximum" not in schema else min(max(least, 0), schema["maximum"])
        case "boolean":
            return False
        case "null":
            return None
        case "array":
            return [_instance(schema.get("items", {}), root) for _ in range(int(schema.get("minItems", 0)))]
        case _:
            inner: dict[str, Any] = schema.get("properties", {})
            required: list[str] = schema.get("required", list(inner))
            return {name: _instance(inner.get(name, {}), root) for name in required}


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector from the words of the text: texts that share words are near each other, the same text is the same."""
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        code = zlib.crc32(word.encode())
        values[code % dimensions] += 1.0 if code & 0x8000_0000 else -1.0
    length = math.sqrt(sum(v * v for v in values))
    if not length:  # words that cancel each other out
        values[0] = length = 1.0
    return [v / length for v in values]
