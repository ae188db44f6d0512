"""OpenAI's files and batches, as its double plays them: `/v1/files` and `/v1/batches`.

Each line of a batch is answered as its live door would answer it. Only the purpose "batch" is played; uploads in parts are not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import msgspec

from headgate.testing.batch_play import BatchPlay
from headgate.testing.calls import ReceivedCall
from headgate.testing.openai_rules import Problem
from headgate.testing.replies import Plain, encode

FILES, BATCHES = "/v1/files", "/v1/batches"
MOST_LINES = 50_000
ENDPOINTS = frozenset({"/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/completions"})

Answer = Callable[[ReceivedCall], Plain]


@dataclass(slots=True)
class StoredFile:
    """A file and what is said of it."""

    id: str
    name: str
    purpose: str
    content: bytes
    created: int

    def shown(self) -> dict[str, Any]:
        """The file object."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created,
            "expires_at": None,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


@dataclass(slots=True)
class Job:
    """A batch."""

    id: str
    input: str
    endpoint: str
    metadata: dict[str, str] | None
    created: int
    lines: list[dict[str, Any]] = field(default_factory=list)
    status: str = "validating"
    looked: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    output: str | None = None
    error_file: str | None = None
    completed: int = 0
    failed: int = 0
    tokens: tuple[int, int] = (0, 0)
    ended: int | None = None

    def shown(self) -> dict[str, Any]:
        """The batch object."""
        stamps = dict.fromkeys(
            ("in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelled_at")
        )
        if f"{self.status}_at" in stamps:
            stamps[f"{self.status}_at"] = self.ended or self.created
        errors = {"object": "list", "data": self.errors} if self.errors else None
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": errors,
            "input_file_id": self.input,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output,
            "error_file_id": self.error_file,
            "created_at": self.created,
            "expires_at": self.created + 86_400,
            **stamps,
            "cancelling_at": None,
            "request_counts": {
                "total": len(self.lines),
                "completed": self.completed,
                "failed": self.failed,
            },
            "usage": {
                "input_tokens": self.tokens[0],
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": self.tokens[1],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": sum(self.tokens),
            },
            "metadata": self.metadata,
        }


class OpenAIBatches:
    """The files and batches of one double.

    Args:
        play: how batches go.
        answer: what the live door says to a line.
    """

    def __init__(self, play: BatchPlay, answer: Answer) -> None:
        self.play = play
        self.files: dict[str, StoredFile] = {}
        self.jobs: dict[str, Job] = {}
        self._answer = answer

    def reply(self, call: ReceivedCall) -> Plain | Problem | None:
        """The answer to a call that is about files or batches; None is somebody else's call."""
        parts = call.path.strip("/").split("/")[1:]
        match call.method, parts:
            case "POST", ["files"]:
                return self._upload(call)
            case "GET", ["files"]:
                return page(call, [file.shown() for file in self.files.values()])
            case method, ["files", name, *rest]:
                return self._file(method, name, rest)
            case "POST", ["batches"]:
                return self._create(call)
            case "GET", ["batches"]:
                return page(call, [job.shown() for job in reversed(self.jobs.values())])
            case method, ["batches", name, *rest]:
                return self._job(method, name, rest)
        return None

    def _upload(self, call: ReceivedCall) -> Plain | Problem:
        fields = multipart(call)
        if "file" not in fields:
            return Problem("Missing required parameter: 'file'.", "file", "missing_required_parameter")
        purpose = fields.get("purpose", ("", b""))[1].decode()
        if purpose != "batch":
            return Problem(f"Invalid value: '{purpose}'.", "purpose", "invalid_value")
        name, content = fields["file"]
        return Plain(encode(self._store(name or "upload", "batch", content).shown()))

    def _store(self, name: str, purpose: str, content: bytes) -> StoredFile:
        file = StoredFile(f"file-{len(self.files) + 1:08d}", name, purpose, content, int(time.time()))
        self.files[file.id] = file
        return file

    def _file(self, method: str, name: str, rest: list[str]) -> Plain | Problem:
        file = self.files.get(name)
        if file is None:
            return Problem(f"No such File object: {name}", "id", status=404)
        if rest == ["content"]:
            return Plain(file.content, content_type="application/octet-stream")
        if method == "DELETE":
            del self.files[name]
            return Plain(encode({"id": name, "object": "file", "deleted": True}))
        return Plain(encode(file.shown()))

    def _create(self, call: ReceivedCall) -> Plain | Problem:
        body = call.fields
        if body.get("completion_window") != "24h":
            return Problem("Invalid value for 'completion_window'.", "completion_window", "invalid_value")
        if body.get("endpoint") not in ENDPOINTS:
            return Problem("Invalid value for 'endpoint'.", "endpoint", "invalid_value")
        if body.get("input_file_id") not in self.files:
            return Problem("No such File object.", "input_file_id", status=400)
        job = Job(
            f"batch_{len(self.jobs) + 1:08d}",
            body["input_file_id"],
            body["endpoint"],
            body.get("metadata"),
            int(time.time()),
        )
        self.jobs[job.id] = job
        return Plain(encode(job.shown()))

    def _job(self, method: str, name: str, rest: list[str]) -> Plain | Problem:
        job = self.jobs.get(name)
        if job is None:
            return Problem(f"No batch found with id '{name}'.", status=404)
        if method == "POST" and rest == ["cancel"]:
            if job.status in ("validating", "in_progress", "finalizing"):
                self._read(job)
                job.status = "cancelling"
            return Plain(encode(job.shown()))
        self._advance(job)
        return Plain(encode(job.shown()))

    def _advance(self, job: Job) -> None:
        """What a look finds: one step further than the last."""
        if job.status == "validating":
            self._read(job)
            if job.status == "validating":
                job.status = "in_progress"
        elif job.status == "cancelling":
            self._finish(job, "cancelled", self.play.done_when_cancelled)
        elif job.status == "finalizing":
            gone = any(self.play.fate(line["custom_id"]) == "expired" for line in job.lines)
            self._finish(job, "expired" if gone else "completed", len(job.lines))
        elif job.status == "in_progress" and not self.play.held:
            job.looked += 1
            if job.looked >= self.play.looks:
                job.status = "finalizing"

    def _read(self, job: Job) -> None:
        """Read the input, or fail the job."""
        file = self.files.get(job.input)
        if self.play.invalid or file is None:
            problems = [{"code": "invalid_request", "message": self.play.invalid, "line": None}]
        else:
            job.lines, problems = read_lines(file.content, job.endpoint)
        if problems:
            job.status, job.lines, job.ended = "failed", [], int(time.time())
            job.errors = [{"param": None} | problem for problem in problems]

    def _finish(self, job: Job, status: str, most: int) -> None:
        """Answer the lines, and write the files."""
        good: list[bytes] = []
        bad: list[bytes] = []
        for number, line in enumerate(job.lines):
            fate = self.play.fate(line["custom_id"]) if number < most else "cancelled"
            head = {"id": f"batch_req_{number:08d}", "custom_id": line["custom_id"]}
            if fate in ("expired", "cancelled"):
                error = {"code": f"batch_{fate}", "message": f"This request was not done: batch {fate}."}
                bad.append(encode(head | {"response": None, "error": error}))
                continue
            said = self._answer(line_call(line)) if fate == "succeeded" else SERVER_ERROR
            response = {
                "status_code": said.status,
                "request_id": f"req_{number:08d}",
                "body": msgspec.Raw(said.body),
            }
            (good if said.status == 200 else bad).append(encode(head | {"response": response, "error": None}))
            usage = (msgspec.json.decode(said.body) or {}).get("usage") or {}
            job.tokens = (
                job.tokens[0] + usage.get("prompt_tokens", 0),
                job.tokens[1] + usage.get("completion_tokens", 0),
            )
        job.status, job.completed, job.failed, job.ended = status, len(good), len(bad), int(time.time())
        if good:
            job.output = self._store(f"{job.id}_output.jsonl", "batch_output", self.play.ordered(good)).id
        if bad:
            job.error_file = self._store(f"{job.id}_error.jsonl", "batch_output", self.play.ordered(bad)).id


SERVER_ERROR = Plain(
    encode(
        {
            "error": {
                "message": "The server had an error.",
                "type": "server_error",
                "param": None,
                "code": None,
            }
        }
    ),
    500,
)


def read_lines(content: bytes, endpoint: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of an input file, and what is wrong with them."""
    lines: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, text in enumerate(content.splitlines(), 1):
        try:
            line = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            problems.append({"code": "invalid_json_line", "message": "not valid JSON.", "line": number})
            continue
        if line.get("custom_id") in seen:
            problems.append({"code": "duplicate_custom_id", "message": "not unique.", "line": number})
        elif line.get("url") != endpoint or line.get("method") != "POST" or "body" not in line:
            problems.append({"code": "invalid_url", "message": "another endpoint.", "line": number})
        else:
            seen.add(line["custom_id"])
            lines.append(line)
    if not lines and not problems:
        problems.append({"code": "empty_file", "message": "The input file is empty.", "line": None})
    if len(lines) > MOST_LINES:
        problems.append({"code": "too_many_tasks", "message": "More than 50,000 lines.", "line": None})
    return lines, problems


def line_call(line: dict[str, Any]) -> ReceivedCall:
    """A line as a call of the live door."""
    body = encode(line["body"])
    return ReceivedCall("POST", line["url"], "", {}, body, line["body"], broken=False, at=time.time())


def page(call: ReceivedCall, shown: list[dict[str, Any]]) -> Plain:
    """A list, or the part of it that comes after an id."""
    query = parse_qs(call.query)
    after = query.get("after", [""])[0]
    ids = [one["id"] for one in shown]
    rest = shown[ids.index(after) + 1 :] if after in ids else shown
    some = rest[: int(query.get("limit", ["20"])[0])]
    ends = (
        {"first_id": some[0]["id"], "last_id": some[-1]["id"]}
        if some
        else {"first_id": None, "last_id": None}
    )
    return Plain(encode({"object": "list", "data": some, **ends, "has_more": len(rest) > len(some)}))


def multipart(call: ReceivedCall) -> dict[str, tuple[str, bytes]]:
    """The fields of a form, each with its file name and content."""
    _, _, mark = call.headers.get("content-type", "").partition("boundary=")
    fields: dict[str, tuple[str, bytes]] = {}
    for part in call.body.split(b"--" + mark.strip('"').encode())[1:-1] if mark else ():
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        words = dict(
            word.strip().split("=", 1)
            for word in head.decode().split("\r\n")[0].split(";")[1:]
            if "=" in word
        )
        fields[words.get("name", "").strip('"')] = (
            words.get("filename", "").strip('"'),
            content.removesuffix(b"\r\n"),
        )
    return fields
