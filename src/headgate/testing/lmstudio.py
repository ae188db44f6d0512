"""A double of LM Studio (0.4): the OpenAI-style API under `/v1`, and the parts of `/api/v0` and `/api/v1` about models.

The real program is closed, so this follows its documents and its users' bug reports. What trips routers is kept: an unknown
path answers 200, `json_object` is refused, a wrong model name may be answered by another model, loading one model on demand
unloads the other. `/api/v1/chat`, `/v1/responses` and downloads are not played.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from headgate.testing.answers import Answering, ServedModel, count_prompt, limited, output_tokens
from headgate.testing.calls import ReceivedCall
from headgate.testing.chat_completions import ChatStyle, Exchange, completion, embeddings, stream
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.replies import Plain, Reply, Stream, encode

CHAT, EMBED, V0_CHAT = "/v1/chat/completions", "/v1/embeddings", "/api/v0/chat/completions"

STYLE = ChatStyle(fingerprint="", role_everywhere=True)
_NO_MODEL = "No models loaded. Please load a model in the developer page or use the `lms load` command."
_CRASHED = "The model has crashed without additional information. (Exit code: null)"
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(
        ("temperature", "top_p", "presence_penalty", "frequency_penalty", "repeat_penalty"), (int, float)
    ),
    **dict.fromkeys(("max_tokens", "top_k", "seed", "ttl"), int),
    "stream": bool,
}


class LMStudioDouble(Double):
    """LM Studio as a stand-in.

    `jit` loads a model when it is asked for; `auto_evict` then unloads the one that was loaded so before; `substitute` lets the only
    loaded model answer for an unknown one. `token` switches authentication on. `loads` and `unloads` list model keys in order.
    """

    name: ClassVar[str] = "lmstudio"
    work_paths: ClassVar[frozenset[str]] = frozenset({CHAT, EMBED, V0_CHAT})
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {
            FaultKind.AUTH_FAILED,
            FaultKind.CONTEXT_OVERFLOW,
            FaultKind.INVALID_REQUEST,
            FaultKind.OVERLOADED,
            FaultKind.SERVER_ERROR,
            FaultKind.STATUS_200_ERROR_BODY,
        }
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        jit: bool = True,
        auto_evict: bool = True,
        substitute: bool = False,
        token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
    ) -> None:
        super().__init__(models, answer, host=host, port=port, label=label, remember=remember)
        self.jit = jit
        self.auto_evict = auto_evict
        self.substitute = substitute
        self.token = token
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self._loaded = {name: model.context for name, model in self.models.items() if model.loaded}
        self._on_demand: str | None = None
        self._count = 0

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """The model of the starter configuration, loaded, and an embedding model."""
        phi = ServedModel(context=131_072, family="phi3", tools=False, loaded=True, parameters="3.8B")
        nomic = ServedModel(kind="embedding", context=2048, dimensions=768, family="nomic-bert")
        return {"phi-3-mini-128k-instruct": phi, "text-embedding-nomic-embed-text-v1.5": nomic}

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        given = call.headers.get("authorization", "").removeprefix("Bearer ") or call.headers.get("x-api-key")
        if (self.token is not None and given != self.token) or (
            fault and fault.kind is FaultKind.AUTH_FAILED
        ):
            return _error(
                401,
                "Malformed or missing LM Studio API token",
                "authentication_error",
                code="invalid_api_key",
            )
        if fault and fault.kind in self.refusals:
            return self._refusal(call, fault)
        match call.method, call.path:
            case "GET", "/v1/models":
                names = self.models if self.jit else self._loaded
                data = [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in names]
                return Plain(encode({"data": data, "object": "list"}))
            case "GET", "/api/v0/models":
                return Plain(
                    encode({"object": "list", "data": [self._v0_entry(name) for name in self.models]})
                )
            case "GET", path if path.removeprefix("/api/v0/models/") in self.models:
                return Plain(encode(self._v0_entry(path.removeprefix("/api/v0/models/"))))
            case "GET", "/api/v1/models":
                return Plain(encode({"models": [self._v1_entry(name) for name in self.models]}))
            case "POST", "/api/v1/models/load":
                return self._load_by_hand(call)
            case "POST", "/api/v1/models/unload":
                return self._unload_by_hand(call)
            case "POST", "/v1/chat/completions" | "/api/v0/chat/completions":
                return self._chat(call, fault)
            case "POST", "/v1/embeddings":
                return self._embed(call)
        return self._unexpected(call)

    # work

    def _chat(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        body = call.fields
        problem = _chat_problem(call)
        if problem:
            return _text_error(problem)
        name = self._serving(call.model, "chat")
        if isinstance(name, Plain):
            return name
        window, prompt = self._loaded[name], count_prompt(call)
        if prompt > window:
            return _text_error(_kept_first(prompt, window))
        most, stop = body.get("max_tokens"), body.get("stop")
        stops = [stop] if isinstance(stop, str) else stop
        answer = limited(self.answer_to(call, fault), most, stops)
        shown = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else name
        extra = (
            self._v0_extra(name, answer.finish, output_tokens(answer))
            if call.path == V0_CHAT
            else {"stats": {}}
        )
        exchange = Exchange(f"chatcmpl-{self._count:021d}", shown, call, answer, extra=extra)
        if body.get("stream") is True:
            return stream(STYLE, exchange, failure=_error_event(_CRASHED))
        return completion(STYLE, exchange)

    def _embed(self, call: ReceivedCall) -> Reply:
        if "input" not in call.fields:
            return _text_error("'input' field is required")
        name = self._serving(call.model, "embedding")
        return name if isinstance(name, Plain) else embeddings(call, name, self.models[name].dimensions)

    def _serving(self, asked: str, kind: str) -> str | Plain:
        """The model that will answer, loaded if need be, or the refusal."""
        able = [name for name in self._loaded if self.models[name].kind == kind]
        if asked in self._loaded or (asked in self.models and self.jit):
            if self.models[asked].kind != kind:
                return _text_error(
                    f"Model '{asked}' is not {'an llm' if kind == 'chat' else 'an embedding model'}"
                )
            self._load_on_demand(asked)
            return asked
        if len(able) == 1 and (self.substitute or not asked):
            return able[0]
        if not self._loaded and not self.jit:
            return _error(404, _NO_MODEL, "invalid_request_error", "model", "model_not_found")
        listed = "\n".join(self.models)
        text = f'Model "{asked}" not found. Please specify a valid model.\n\nYour models:\n\n{listed}'
        return _error(404, text, "invalid_request_error", "model", "model_not_found")

    def _load_on_demand(self, name: str) -> None:
        if name in self._loaded:
            return
        if self.auto_evict and self._on_demand in self._loaded:
            self._unload(self._on_demand)
        self._on_demand = name
        self._loaded[name] = self.models[name].context
        self.loads.append(name)

    def _unload(self, name: str) -> None:
        del self._loaded[name]
        self.unloads.append(name)

    # models

    def _load_by_hand(self, call: ReceivedCall) -> Plain:
        name = call.model
        if not name:
            return _error(
                400, '"model" is required', "invalid_request", "model", "missing_required_parameter"
            )
        if name not in self.models:
            return _error(404, f'Model "{name}" not found', "model_not_found", "model")
        model = self.models[name]
        window = int(call.fields.get("context_length") or model.context)
        self._loaded[name] = min(window, model.context)
        self.loads.append(name)
        kind = "embedding" if model.kind == "embedding" else "llm"
        body: dict[str, Any] = {
            "type": kind,
            "instance_id": name,
            "load_time_seconds": 0.25,
            "status": "loaded",
        }
        if call.fields.get("echo_load_config") is True:
            body["load_config"] = {"context_length": self._loaded[name]}
        return Plain(encode(body))

    def _unload_by_hand(self, call: ReceivedCall) -> Plain:
        name = call.fields.get("instance_id")
        if name not in self._loaded:
            return _error(404, f'Instance "{name}" not found', "model_not_found", "instance_id")
        self._unload(name)
        return Plain(encode({"instance_id": name}))

    def _v0_entry(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        kind = "embeddings" if model.kind == "embedding" else "vlm" if model.vision else "llm"
        entry: dict[str, Any] = {
            "id": name,
            "object": "model",
            "type": kind,
            "publisher": name.partition("/")[0],
        }
        entry |= {"arch": model.family, "compatibility_type": "gguf", "quantization": model.quantization}
        entry |= {
            "state": "loaded" if name in self._loaded else "not-loaded",
            "max_context_length": model.context,
        }
        if name in self._loaded:
            entry["loaded_context_length"] = self._loaded[name]
        return entry | ({"capabilities": ["tool_use"]} if model.tools and model.kind == "chat" else {})

    def _v1_entry(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        config = {"context_length": self._loaded.get(name), "eval_batch_size": 512, "flash_attention": False}
        return {
            "type": "embedding" if model.kind == "embedding" else "llm",
            "publisher": name.partition("/")[0],
            "key": name,
            "display_name": name,
            "architecture": model.family,
            "quantization": {"name": model.quantization, "bits_per_weight": 4},
            "size_bytes": model.size,
            "params_string": model.parameters,
            "loaded_instances": [{"id": name, "config": config}] if name in self._loaded else [],
            "max_context_length": model.context,
            "format": "gguf",
            "capabilities": {"vision": model.vision, "trained_for_tool_use": model.tools},
        }

    def _v0_extra(self, name: str, finish: str, tokens: int) -> dict[str, Any]:
        model = self.models[name]
        reason = "maxPredictedTokensReached" if finish == "length" else "eosFound"
        speed = {"tokens_per_second": 50.0, "time_to_first_token": 0.1, "generation_time": tokens / 50.0}
        info = {
            "arch": model.family,
            "quant": model.quantization,
            "format": "gguf",
            "context_length": model.context,
        }
        runtime = {"name": "llama.cpp-linux-x86_64", "version": "1.50.0", "supported_formats": ["gguf"]}
        return {"stats": speed | {"stop_reason": reason}, "model_info": info, "runtime": runtime}

    # errors

    def _unexpected(self, call: ReceivedCall) -> Plain:
        return _text_error(f"Unexpected endpoint or method. ({call.method} {call.path})", 200)

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Reply:
        match fault.kind:
            case FaultKind.CONTEXT_OVERFLOW:
                window = self._loaded.get(call.model, 4096)
                return _overflow(fault.text, window + count_prompt(call), window, streamed=self.streams(call))
            case FaultKind.INVALID_REQUEST:
                return _text_error(f"'{fault.text}' is not supported")
            case FaultKind.STATUS_200_ERROR_BODY:
                return self._unexpected(call)
            case FaultKind.OVERLOADED:
                return _error(503, "The server is busy", "internal_error")
        return _error(500, _CRASHED, "internal_error")


def _chat_problem(call: ReceivedCall) -> str | None:
    body = call.json
    if not isinstance(body, dict):
        return "Unexpected token in JSON at position 0" if call.broken else "'messages' field is required"
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return "'messages' field is required"
    for message in body["messages"]:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in {"system", "user", "assistant", "tool", "developer"}:
            return "Invalid 'messages' in payload. Error: Each message must have a valid 'role'"
    form = body.get("response_format")
    if form is not None and (not isinstance(form, dict) or form.get("type") not in {"json_schema", "text"}):
        return "'response_format.type' must be 'json_schema' or 'text'"
    if form and form["type"] == "json_schema" and call.schema is None:
        return "'response_format.json_schema.schema' is required"
    for name, kind in _TYPES.items():
        value = body.get(name)
        if value is not None and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            return f"Invalid type for '{name}'."
    if body.get("tool_choice") is not None and body["tool_choice"] not in ("none", "auto", "required"):
        return "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
    return None


def _kept_first(prompt: int, window: int) -> str:
    return (
        f"Trying to keep the first {prompt} tokens when context the overflows. However, the model is loaded with context length "
        f"of only {window} tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"
    )


def _overflow(shape: str, prompt: int, window: int, *, streamed: bool) -> Reply:
    """The four ways LM Studio had over its versions; the two that need a stream fall back to the document they would be."""
    match shape:
        case "n_keep":
            return _text_error(
                "The number of tokens to keep from the initial prompt is greater than the context length "
                f"(n_keep: {prompt}>= n_ctx: {window}). Try to load the model with a larger context length, or provide a shorter input."
            )
        case "in_stream" if streamed:
            return Stream((), (), (_error_event(_kept_first(prompt, window)),), b"")
        case "in_stream":
            return _text_error(_kept_first(prompt, window), 200)
        case "empty" if streamed:
            return Stream((), (), (b"data: [DONE]\n\n",), b"")
        case "empty":
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": "stop",
            }
            return Plain(encode({"id": "chatcmpl-empty", "object": "chat.completion", "choices": [choice]}))
    return _text_error(_kept_first(prompt, window))


def _text_error(text: str, status: int = 400) -> Plain:
    return Plain(encode({"error": text}), status)


def _error(status: int, text: str, kind: str, param: str | None = None, code: str | None = None) -> Plain:
    return Plain(encode({"error": {"message": text, "type": kind, "param": param, "code": code}}), status)


def _error_event(text: str) -> bytes:
    return b"event: error\ndata: " + encode({"error": {"message": text}}) + b"\n\n"
