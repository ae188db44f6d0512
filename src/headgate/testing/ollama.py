"""A double of Ollama: the native API (NDJSON, on by default) and its OpenAI-style layer under `/v1`.

What a router must know about the real one is kept: names with and without tag, load-time options that reload the model
(`loads` lists them), prompts cut in silence unless `truncate` is false, metrics that vanish when they are zero, errors
that sit as strings inside errors. Queueing in the scheduler, blobs, create and push are not played.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import time
from typing import Any, ClassVar

from headgate.testing import ollama_rules as rules
from headgate.testing import ollama_shapes as shapes
from headgate.testing.answers import (
    Answer,
    Answering,
    ServedModel,
    count_prompt,
    count_tokens,
    limited,
    pieces,
    vector,
)
from headgate.testing.calls import ReceivedCall
from headgate.testing.chat_completions import ChatStyle, Exchange, completion, embeddings, stream
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.ollama_rules import Problem
from headgate.testing.ollama_shapes import go_json, now, said, tagged
from headgate.testing.replies import Plain, Reply, Stream

JSON, NDJSON, TEXT = "application/json; charset=utf-8", "application/x-ndjson", "text/plain; charset=utf-8"
CHAT, GENERATE, EMBED, OLD_EMBED = "/api/chat", "/api/generate", "/api/embed", "/api/embeddings"
V1_CHAT, V1_EMBED, V1_MODELS = "/v1/chat/completions", "/v1/embeddings", "/v1/models"

STYLE = ChatStyle(
    fingerprint="fp_ollama",
    fingerprint_first=True,
    null_logprobs=False,
    whole_tool_calls=True,
    trailing=b"\n",
)
_METHODS = {
    **dict.fromkeys(("/", "/api/version", "/api/tags", "/api/ps", V1_MODELS), "GET"),
    **dict.fromkeys((CHAT, GENERATE, EMBED, OLD_EMBED, "/api/show", "/api/pull", V1_CHAT, V1_EMBED), "POST"),
    "/api/delete": "DELETE",
}
_MORE = {"done": False}
_DIED = "an error was encountered while running the model: unexpected EOF"

_REFUSED = {
    FaultKind.QUEUE_FULL: Problem(503, "server busy, please try again.  maximum pending requests exceeded"),
    FaultKind.OVERLOADED: Problem(503, "server busy, please try again.  maximum pending requests exceeded"),
    FaultKind.STATUS_200_ERROR_BODY: Problem(200, _DIED),
    FaultKind.SERVER_ERROR: Problem(
        500,
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
        "check ollama server logs for details",
    ),
}


class OllamaDouble(Double):
    """Ollama as a stand-in.

    `num_ctx` is the context window of a model when the request names none. `library` is what `/api/pull` can fetch.
    `loads` lists every load as (model, num_ctx): a router that keeps its windows constant sees each pair once.
    """

    name: ClassVar[str] = "ollama"
    work_paths: ClassVar[frozenset[str]] = frozenset({CHAT, GENERATE, EMBED, OLD_EMBED, V1_CHAT, V1_EMBED})
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {
            *_REFUSED,
            FaultKind.AUTH_FAILED,
            FaultKind.CONTEXT_OVERFLOW,
            FaultKind.INVALID_REQUEST,
            FaultKind.SILENT_TRUNCATION,
        }
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        num_ctx: int = 4096,
        library: Mapping[str, ServedModel] | None = None,
        version: str = "0.33.0",
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
    ) -> None:
        super().__init__(models, answer, host=host, port=port, label=label, remember=remember)
        self.models = {tagged(name): model for name, model in self.models.items()}
        self.num_ctx = num_ctx
        self.library = {tagged(name): model for name, model in (library or {}).items()}
        self.version = version
        self.loads: list[tuple[str, int]] = []
        self._loaded = {name: num_ctx for name, model in self.models.items() if model.loaded}
        self._count = 0

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """The models of the starter configuration."""
        embedding = ServedModel(
            kind="embedding", context=2048, dimensions=768, family="nomic-bert", parameters="137M"
        )
        return {
            "llama3.1:8b": ServedModel(context=131_072),
            "qwen2.5-coder:7b": ServedModel(context=32_768, family="qwen2", parameters="7.6B"),
            "nomic-embed-text:latest": replace(embedding, quantization="F16", size=274_302_450),
        }

    def streams(self, call: ReceivedCall) -> bool:
        """The native API streams unless told not to."""
        return call.fields.get("stream", call.path in {CHAT, GENERATE}) is not False

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        if not rules.host_allowed(call.headers.get("host", "")):
            return Plain(b"", 403, TEXT)
        if fault and fault.kind in self.refusals and fault.kind is not FaultKind.SILENT_TRUNCATION:
            return self._error(call, self._refusal(call, fault))
        method = _METHODS.get(call.path)
        if method is None:
            return Plain(b"404 page not found", 404, TEXT)
        if call.method != method and (method, call.method) != ("GET", "HEAD"):
            return Plain(b"405 method not allowed", 405, TEXT)
        if method == "GET":
            return self._look(call)
        problem = rules.body_problem(call)
        if problem:
            return self._error(call, problem)
        match call.path:
            case "/api/show":
                return self._show(call)
            case "/api/pull":
                return self._pull(call)
            case "/api/delete":
                return self._delete(call)
            case "/api/embed" | "/api/embeddings" | "/v1/embeddings":
                return self._embed(call)
        return self._generate(call, fault)

    # generation

    def _generate(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        body = call.fields
        if not call.model and call.path == CHAT:
            return self._error(call, Problem(400, "model is required"))
        model = self.models.get(tagged(call.model))
        if model is None:
            return self._error(call, rules.missing(call.model))
        if call.path == V1_CHAT and not body.get("messages"):
            return self._error(call, Problem(400, "[] is too short - 'messages'"))
        native = call if call.path != V1_CHAT else shapes.as_native(call)
        problem = rules.generation_problem(native, model)
        if problem:
            return self._error(call, problem)
        options = native.fields.get("options") or {}
        window = min(int(options.get("num_ctx") or self.num_ctx), model.context)
        cold = self._load(call, window)
        if call.path != V1_CHAT and not body.get("messages") and not body.get("prompt"):
            return self._only_loaded(call)
        prompt = count_prompt(call)
        silent = fault is not None and fault.kind is FaultKind.SILENT_TRUNCATION
        if prompt > window and body.get("truncate") is False and not silent:
            return self._error(call, rules.overflow(prompt, window))
        cut = prompt > window or silent
        if cut:
            call, prompt = shapes.cut_prompt(call, window), window
        answer = self.answer_to(call, fault)
        if body.get("think") is False:
            answer = replace(answer, reasoning=None)
        answer = limited(answer, options.get("num_predict"), options.get("stop"))
        shown = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else call.model
        if answer.input_tokens is not None and not cut:
            prompt = answer.input_tokens
        if call.path == V1_CHAT:
            exchange = Exchange(f"chatcmpl-{self._count % 999}", shown, call, answer, prompt)
            if body.get("stream") is True:
                return stream(STYLE, exchange, failure=shapes.v1_failure(exchange.id))
            return completion(STYLE, exchange)
        metrics = shapes.metrics(answer, prompt, cold=cold)
        say = self._lines if self.streams(call) else self._whole
        return say(call, shown, answer, metrics)

    def _whole(self, call: ReceivedCall, shown: str, answer: Answer, metrics: dict[str, int]) -> Plain:
        calls = shapes.tool_calls(answer, self._count)
        body = {"model": shown, "created_at": now()} | said(call.path, answer.text, answer.reasoning, calls)
        body |= {"done": True, "done_reason": shapes.done_reason(answer)}
        body |= shapes.context_of(call) | shapes.logprobs(call, answer, answer.text) | metrics
        return Plain(go_json(body), content_type=JSON, delay=answer.delay)

    def _lines(self, call: ReceivedCall, shown: str, answer: Answer, metrics: dict[str, int]) -> Stream:
        def line(words: dict[str, Any], rest: dict[str, Any]) -> bytes:
            return go_json({"model": shown, "created_at": now()} | words | rest) + b"\n"

        content = [line(said(call.path, "", piece), _MORE) for piece in pieces(answer.reasoning or "")]
        content += [
            line(said(call.path, piece), _MORE | shapes.logprobs(call, answer, piece))
            for piece in pieces(answer.text)
        ]
        if answer.tool_calls:
            content.append(line(said(call.path, "", None, shapes.tool_calls(answer, self._count)), _MORE))
        end = {"done": True, "done_reason": shapes.done_reason(answer)} | shapes.context_of(call) | metrics
        return Stream(
            opening=(),
            content=tuple(content),
            closing=(line(said(call.path, ""), end),),
            failure=go_json({"error": _DIED}) + b"\n",
            content_type=NDJSON,
            delay=answer.delay,
            pace=answer.chunk_delay,
        )

    def _load(self, call: ReceivedCall, window: int) -> bool:
        """Load the model if it is not there with this window; `keep_alive` 0 unloads it after the reply."""
        name = tagged(call.model)
        cold = self._loaded.get(name) != window
        if cold:
            self.loads.append((name, window))
            self._loaded[name] = window
        if call.fields.get("keep_alive") in (0, "0", "0s"):
            del self._loaded[name]
        return cold

    def _only_loaded(self, call: ReceivedCall) -> Plain:
        reason = "load" if tagged(call.model) in self._loaded else "unload"
        body = (
            {"model": call.model, "created_at": now()}
            | said(call.path, "")
            | {"done": True, "done_reason": reason}
        )
        return Plain(go_json(body), content_type=JSON)

    # everything else

    def _look(self, call: ReceivedCall) -> Plain:
        match call.path:
            case "/":
                return Plain(b"Ollama is running", content_type=TEXT)
            case "/api/version":
                return Plain(go_json({"version": self.version}), content_type=JSON)
            case "/api/tags":
                found = [shapes.tags_entry(name, model) for name, model in self.models.items()]
                return Plain(go_json({"models": found}), content_type=JSON)
            case "/api/ps":
                loaded = [(name, window) for name, window in self._loaded.items() if name in self.models]
                found = [shapes.running_entry(name, self.models[name], window) for name, window in loaded]
                return Plain(go_json({"models": found}), content_type=JSON)
        data = [
            {"id": n, "object": "model", "created": int(time()), "owned_by": "library"} for n in self.models
        ]
        return Plain(go_json({"object": "list", "data": data or None}) + b"\n")

    def _show(self, call: ReceivedCall) -> Plain:
        name = call.model or str(call.fields.get("name") or "")
        if not name:
            return self._error(call, Problem(400, "model is required"))
        model = self.models.get(tagged(name))
        if model is None:
            return self._error(call, rules.missing(tagged(name)))
        return Plain(go_json(shapes.shown_model(name, model)), content_type=JSON)

    def _delete(self, call: ReceivedCall) -> Plain:
        gone = self.models.pop(tagged(call.model), None)
        return self._error(call, rules.missing(call.model)) if gone is None else Plain(b"", content_type=TEXT)

    def _pull(self, call: ReceivedCall) -> Reply:
        name = tagged(call.model)
        wanted = self.library.get(name) or self.models.get(name)
        streamed = call.fields.get("stream") is not False
        if wanted is None:
            text = "pull model manifest: file does not exist"
            if not streamed:
                return Plain(go_json({"error": text}), 500)
            return Stream(
                (),
                (go_json({"status": "pulling manifest"}) + b"\n",),
                (go_json({"error": text}) + b"\n",),
                b"",
                NDJSON,
            )
        self.models[name] = wanted
        if not streamed:
            return Plain(go_json({"status": "success"}))
        lines = [go_json(line) + b"\n" for line in shapes.pull_lines(name, wanted.size)]
        return Stream(
            (), tuple(lines[:-1]), (lines[-1],), go_json({"error": "unexpected EOF"}) + b"\n", NDJSON
        )

    def _embed(self, call: ReceivedCall) -> Reply:
        body = call.fields
        model = self.models.get(tagged(call.model))
        if model is None:
            return self._error(call, rules.missing(call.model))
        if model.kind != "embedding":
            text = "This server does not support embeddings. Start it with `--embeddings`"
            return self._error(call, Problem(501, text))
        given: Any = body.get("prompt", "") if call.path == OLD_EMBED else body.get("input")
        texts: list[str] = given if isinstance(given, list) else [given]
        if not all(isinstance(text, str) for text in texts):
            return self._error(call, Problem(400, "invalid input type"))
        if body.get("truncate") is False and any(count_tokens(text) > model.context for text in texts):
            return self._error(call, Problem(400, "the input length exceeds the context length"))
        size = body.get("dimensions") or model.dimensions
        cold = self._load(call, model.context)
        if call.path == V1_EMBED:
            return embeddings(call, call.model, size)
        vectors = [vector(text, size) for text in texts]
        if call.path == OLD_EMBED:
            return Plain(go_json({"embedding": vectors[0]}), content_type=JSON)
        tokens = sum(map(count_tokens, texts))
        made = {"model": call.model, "embeddings": vectors}
        metrics = shapes.metrics(Answer(), tokens, cold=cold, embedding=True) if texts else {}
        return Plain(go_json(made | metrics), content_type=JSON)

    # errors

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Problem:
        match fault.kind:
            case FaultKind.CONTEXT_OVERFLOW:
                options = call.fields.get("options") or {}
                window = int(options.get("num_ctx") or self.num_ctx)
                return rules.overflow(window + count_prompt(call), window)
            case FaultKind.INVALID_REQUEST:
                return Problem(400, f'"{call.model}" does not support {fault.text}')
            case FaultKind.AUTH_FAILED:
                return Problem(401, "unauthorized")
        return _REFUSED[fault.kind]

    def _error(self, call: ReceivedCall, problem: Problem) -> Plain:
        if call.path.startswith("/v1/"):
            kind = {400: "invalid_request_error", 404: "not_found_error"}.get(problem.status, "api_error")
            error = {"message": problem.text, "type": kind, "param": None, "code": None}
            return Plain(go_json({"error": error}) + b"\n", problem.status)
        body = {"error": problem.text}
        if problem.status == 401:
            body["signin_url"] = "https://ollama.com/connect"
        return Plain(go_json(body), problem.status, JSON)
