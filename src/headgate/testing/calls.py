"""What a client sent to a double: the raw call, and the questions tests and answers ask about it.

The questions (`model`, `schema`, `prompt` …) read every dialect the doubles speak, so one answering function can serve
all of them. This module checks nothing: whether a call is *acceptable* is each double's own business.
"""

from typing import Any

import msgspec

Json = Any
"""A decoded JSON value of unknown shape."""


class ReceivedCall(msgspec.Struct, frozen=True):
    """One HTTP request as it arrived.

    `path` has no query string; `headers` has lower-case names; `json` is the decoded body, or None when there was no
    body or it was not JSON (then `broken` is true); `at` is seconds since the epoch.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    json: Json
    broken: bool
    at: float

    @property
    def fields(self) -> dict[str, Json]:
        """The body's top-level fields; empty when the body is no JSON object."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def model(self) -> str:
        """The model asked for, or an empty string."""
        name = self.fields.get("model")
        return name if isinstance(name, str) else ""

    @property
    def messages(self) -> list[dict[str, Json]]:
        """The conversation's messages; empty for calls that have none."""
        found = self.fields.get("messages")
        return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []

    @property
    def prompt(self) -> str:
        """The text of the last user message (or `prompt`, or `input`), images and files left out."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return text_of(self.fields.get("prompt")) or text_of(self.fields.get("input"))

    @property
    def schema(self) -> dict[str, Json] | None:
        """The JSON schema asked for in any dialect, `{}` for "any JSON", None when plain text will do."""
        body = self.fields
        if isinstance(body.get("format"), dict):  # Ollama
            return dict(body["format"])
        if body.get("format") == "json":
            return {}
        asked = body.get("response_format")  # OpenAI and its kin
        if isinstance(asked, dict):
            if asked.get("type") == "json_object":
                return {}
            return _schema_in(asked.get("json_schema"))
        config = body.get("output_config")  # Anthropic
        return _schema_in(config.get("format")) if isinstance(config, dict) else None

    @property
    def tools(self) -> list[dict[str, Json]]:
        """The tools on offer, each as `{"name", "schema"}`, whatever the dialect's nesting."""
        found = self.fields.get("tools")
        offers = [t for t in found if isinstance(t, dict)] if isinstance(found, list) else []
        functions = [t["function"] if isinstance(t.get("function"), dict) else t for t in offers]
        return [
            {"name": f.get("name", ""), "schema": f.get("parameters") or f.get("input_schema") or {}}
            for f in functions
        ]


def _schema_in(holder: Json) -> dict[str, Json] | None:
    schema = holder.get("schema") if isinstance(holder, dict) else None
    return schema if isinstance(schema, dict) else None


def text_of(content: Json) -> str:
    """The words in a message's content: a string, a list of parts (or of strings), or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(text_of, content)))
    if isinstance(content, dict):
        inner = content.get("text", content.get("content"))
        return text_of(inner)
    return ""
