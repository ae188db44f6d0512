"""What models for embeddings want to read before a text, so that questions and passages find each other.

    with_prefixes(request, model) → the request as the model is asked it

Which words a model was trained with depends on its family, which its id tells; the user's own words win (`Model.prefixes`).
Whether a text is a query or a document only its caller knows: he says so, or his texts are embedded as they come. This module
does not know how vectors are compared.

Source of the words: the models' own cards and `config_sentence_transformers.json` on Hugging Face, as of November 2026.
"""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from headgate.core.types import Message, Model, Prefixes, Request
from headgate.core.words import TEXT_USES, TextUse

_PASSAGES = "Represent this sentence for searching relevant passages: "
_SEARCH = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"

NONE = Prefixes()

FAMILIES: tuple[tuple[str, Prefixes], ...] = (
    (
        r"nomic-embed-code|coderankembed",
        Prefixes(query="Represent this query for searching relevant code: "),
    ),
    (r"nomic-embed", Prefixes(query="search_query: ", document="search_document: ")),
    (r"mxbai-embed", Prefixes(query=_PASSAGES)),
    (r"bge-m3|bge-multilingual", NONE),
    (r"bge-.*-zh", Prefixes(query="为这个句子生成表示以用于检索相关文章：")),  # the model's own colon
    (r"bge-(small|base|large)", Prefixes(query=_PASSAGES)),
    (r"e5-.*instruct|e5-mistral", Prefixes(query=f"{_SEARCH} ")),
    (r"(^|[^a-z0-9])e5-|multilingual-e5", Prefixes(query="query: ", document="passage: ")),
    (r"arctic-embed(2|-.*v2)", Prefixes(query="query: ")),
    (r"arctic-embed", Prefixes(query=_PASSAGES)),
    (r"qwen3-embedding", Prefixes(query=_SEARCH)),
    (
        r"embedding-?gemma",
        Prefixes(query="task: search result | query: ", document="title: none | text: "),
    ),
)
"""By what stands in a model's id; the first that is found counts. A family that is not here wants nothing, or is not known."""


def known_prefixes(model_id: str) -> Prefixes:
    """What a model of that id wants before its texts."""
    name = model_id.lower()
    return next((prefixes for pattern, prefixes in FAMILIES if re.search(pattern, name)), NONE)


def use_in_name(asked: str) -> tuple[str, TextUse] | None:
    """The model and what the texts are for, where its name says so: "nomic:query", "auto:embedding:document"."""
    name, _, word = asked.rpartition(":")
    return next(((name, use) for use in TEXT_USES if name and word == use), None)


def prefix_for(request: Request, model: Model) -> str:
    """What goes before each of the request's texts for this model; "" is nothing."""
    if request.use is None:
        return ""
    return model.prefixes.query if request.use == "query" else model.prefixes.document


def with_prefixes(request: Request, model: Model) -> Request:
    """The request as this model is asked it. A text that has such words already gets no second ones.

    Token ids go as the text that they spell then, and a word of the caller's that says what the texts are for is not handed on:
    the prefix says it.
    """
    prefix = prefix_for(request, model)
    if not prefix:
        return request
    return replace(
        request,
        messages=tuple(_prefixed(request, model, prefix)),
        token_ids=(),
        raw_messages=None,
        extra={name: value for name, value in request.extra.items() if name != "input_type"},
    )


def told_of(request: Request, model: Model) -> tuple[str, ...]:
    """What the caller is told of that, one sentence each."""
    prefix = prefix_for(request, model)
    if not prefix:
        return ()
    return (
        f'input: texts begin with "{" ".join(prefix.split())}", as {model.name} expects of a {request.use}',
    )


def _prefixed(request: Request, model: Model, prefix: str) -> Iterator[Message]:
    known = tuple(one for one in (model.prefixes.query, model.prefixes.document) if one)
    for message in request.messages:
        text = message.text
        yield message if text.startswith(known) else Message("user", prefix + text)
