"""/v1/files and /v1/batches over HTTP, in OpenAI's words, so that its clients work unchanged.

It does not know how a batch is worked on (`course`), nor where files lie (`files`).
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from headgate.batches.front.book import BatchObject
from headgate.batches.front.desk import Desk
from headgate.batches.front.files import PIECE, FileObject, copy_part
from headgate.batches.front.forms import read_form
from headgate.batches.front.pages import BatchesQuery, FilesQuery, page
from headgate.gateway import refusals
from headgate.gateway.caller import Call
from headgate.gateway.headers import JSON, answer_fault
from headgate.gateway.http import Upload
from headgate.gateway.queries import read_query
from headgate.wire.doors.reading import read
from headgate.wire.faults import Fault

FILES, FILE, CONTENT = "/v1/files", "/v1/files/{file_id}", "/v1/files/{file_id}/content"
BATCHES, BATCH, CANCEL = "/v1/batches", "/v1/batches/{batch_id}", "/v1/batches/{batch_id}/cancel"
TAKES: Mapping[str, tuple[str, ...]] = {
    FILES: ("GET", "POST"),
    FILE: ("GET", "DELETE"),
    CONTENT: ("GET",),
    BATCHES: ("GET", "POST"),
    BATCH: ("GET",),
    CANCEL: ("POST",),
}
Endpoint = Literal["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions"]
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
"""Where the requests of a batch may go."""
PREFIX = "batch_"
"""With which the ids of these batches begin."""
SHORTEST_LIFE, LONGEST_LIFE = 3_600, 2_592_000
"""Seconds for which a file may be kept, where that is said."""
Word = Annotated[str, Meta(max_length=512)]


class WireExpires(Struct):
    """When the results of a batch are removed."""

    seconds: Annotated[int, Meta(ge=SHORTEST_LIFE, le=LONGEST_LIFE)]
    anchor: Literal["created_at"] = "created_at"


class WireBatch(Struct):
    """What a new batch is asked for with."""

    input_file_id: str
    endpoint: Endpoint
    completion_window: Literal["24h"]
    metadata: Annotated[dict[Annotated[str, Meta(max_length=64)], Word], Meta(max_length=16)] | None = None
    output_expires_after: WireExpires | None = None


decode_batch = msgspec.json.Decoder(WireBatch)


class FrontService:
    """Answers /v1/files and /v1/batches.

    Args:
        desk: has the files and batches.
        file_limit: bytes of an upload.
        body_limit: bytes of any other body, for the error that names it.
    """

    methods = TAKES

    def __init__(self, desk: Desk, file_limit: int, body_limit: int) -> None:
        self.desk = desk
        self.file_limit = file_limit
        self.body_limit = body_limit

    @property
    def uploads(self) -> Mapping[str, Upload]:
        """The paths whose bodies go into files."""
        return {FILES: Upload(self.file_limit, self.desk.new_upload)}

    async def answer(self, call: Call, path: str, names: Mapping[str, str]) -> None:
        """Answer a call."""
        try:
            if not self.desk.open():
                answer_fault(call, TAKEN)
                return
            said = await self.said(call, path, names)
        except OSError as error:
            fault = Fault(
                status=507,
                message=f"{self.desk.folder} cannot be used: {error.strerror}",
                kind="server_error",
            )
            answer_fault(call, fault)
            return
        if isinstance(said, Fault):
            answer_fault(call, said)
        elif said is not None:
            call.answer(200, JSON, msgspec.json.encode(said))

    async def said(self, call: Call, path: str, names: Mapping[str, str]) -> Any:
        """The answer as a value, or what is wrong; None where it has gone out already."""
        files, book = self.desk.files, self.desk.book
        if path == FILES:
            if call.method == "POST":
                return await self.upload(call)
            return self.list_files(call.query)
        if path in (FILE, CONTENT):
            file = files.find(names["file_id"])
            if file is None:
                return missing("file", names["file_id"])
            if path == CONTENT:
                await self.give(call, file)
                return None
            if call.method == "DELETE":
                files.delete(file.id)
                return {"id": file.id, "object": "file", "deleted": True}
            return file
        if path == BATCHES:
            return await self.create(call) if call.method == "POST" else self.list_batches(call.query)
        kept = book.all.get(names["batch_id"])
        if kept is None or not kept.batch.id.startswith(PREFIX):
            return missing("batch", names["batch_id"])
        if path == CANCEL:
            self.desk.cancel(kept.batch.id)
        return kept.batch

    def list_files(self, query: str) -> dict[str, Any] | Fault:
        """A page of the files."""
        asked = read_query(FilesQuery, query)
        if isinstance(asked, Fault):
            return asked
        files = [one for one in self.desk.files.list() if asked.purpose in ("", one.purpose)]
        return page(files, asked.after, asked.limit, oldest_first=asked.order == "asc")

    def list_batches(self, query: str) -> dict[str, Any] | Fault:
        """A page of the batches."""
        asked = read_query(BatchesQuery, query)
        if isinstance(asked, Fault):
            return asked
        return page(self.desk.book.newest_first(PREFIX), asked.after, asked.limit)

    async def upload(self, call: Call) -> FileObject | Fault:
        """Keep the file of a form."""
        if call.body is None or call.file is None:
            return too_large_upload(self.file_limit)
        body = call.file
        form = read_form(call.headers.get(b"content-type", b"").decode("latin-1"), body)
        if isinstance(form, Fault):
            return form
        part = form.file
        if part is None:
            return wrong(
                "file", "there is no file in the form", 'send it as the field "file", with a file name'
            )
        if form.fields.get("purpose") != "batch":
            return wrong(
                "purpose",
                f'the purpose "{form.fields.get("purpose", "")[:64]}" is not served here',
                'send purpose = "batch"',
            )
        life = form.fields.get("expires_after[seconds]")
        if life is not None and not (
            life.isascii()
            and life.isdecimal()
            and len(life) < 10
            and SHORTEST_LIFE <= int(life) <= LONGEST_LIFE
        ):
            return wrong(
                "expires_after", "a file lives for an hour to 30 days", "send seconds of 3600 to 2592000"
            )
        files = self.desk.files
        return await asyncio.to_thread(
            files.write,
            files.new_id(),
            part.name,
            "batch",
            lambda file: copy_part(body, part.start, part.end, file),
            None if life is None else int(life),
        )

    async def give(self, call: Call, file: FileObject) -> None:
        """Send the content of a file, as fast as it is read."""
        with self.desk.files.path(file.id).open("rb") as content:
            lines = b"content-type: application/octet-stream\r\n"
            call.stream(200, lines)
            while piece := await asyncio.to_thread(content.read, PIECE):
                await call.write(piece)
            call.end()

    async def create(self, call: Call) -> BatchObject | Fault:
        """Begin a batch."""
        if call.body is None:
            return refusals.too_large(self.body_limit)
        asked = read(decode_batch, call.body)
        if isinstance(asked, Fault):
            return asked
        file = self.desk.files.find(asked.input_file_id)
        hint = 'upload it to /v1/files with purpose = "batch"'
        if file is None:
            return replace(missing("file", asked.input_file_id), param="input_file_id", hint=hint)
        if file.purpose != "batch":
            return wrong("input_file_id", f'the purpose of "{file.id}" is {file.purpose}', hint)
        return await self.desk.create(
            asked.endpoint,
            self.desk.files.path(file.id),
            prefix=PREFIX,
            input_file=file.id,
            metadata=asked.metadata,
            headers=self.desk.headers_of(call),
            lives=asked.output_expires_after.seconds if asked.output_expires_after is not None else None,
        )

    def describe(self) -> Mapping[str, Mapping[str, Any]]:
        """The paths in OpenAPI's form."""
        from headgate.batches.front.described import described  # noqa: PLC0415  # only if somebody asks

        return described()


def missing(what: str, name: str) -> Fault:
    """It is not there."""
    return Fault(
        status=404,
        message=f'there is no {what} "{name[:64]}"',
        code="not_found",
        hint="GET the path without its name lists them",
    )


def wrong(param: str, message: str, hint: str) -> Fault:
    """What is wrong with a field."""
    return Fault(status=400, message=message, code="invalid_value", param=param, hint=hint)


def too_large_upload(limit: int) -> Fault:
    """The upload is larger than the limit for uploads."""
    hint = "raise file_limit_mb under [batches], or make several of it"
    return replace(refusals.too_large(limit), hint=hint)


TAKEN = Fault(
    status=503,
    message="another gate on this machine has the batches",
    kind="server_error",
    code="batches_elsewhere",
    hint="send them there, or close it: headgate down",
    retry=True,
)
