"""The models on the disk of an Ollama, and what changes them: pull, copy, delete, blobs and create.

A pull fetches the layers that are not there, goes on where an earlier one stopped, and reports its failure inside a stream of status
200. What is loaded, and how models answer, is not known here.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from headgate.testing import ollama_shapes as shapes
from headgate.testing.answers import ServedModel
from headgate.testing.calls import ReceivedCall
from headgate.testing.clock import Clock, Timing
from headgate.testing.downloads import Planned, PullTrouble, Store
from headgate.testing.ollama_pull import Line, fetched, layers_of, mismatch, progress
from headgate.testing.ollama_rules import Problem, missing
from headgate.testing.ollama_shapes import JSON, go_json, tagged
from headgate.testing.replies import Later, Plain, Reply, Stream

NDJSON, TEXT = "application/x-ndjson", "text/plain; charset=utf-8"
BLOBS = "/api/blobs/"


class Library:
    """What is on the disk, what can be fetched, and the fetching.

    `models` and `offered` are the caller's own mappings, by full name. Every model that is there from the start is whole.
    """

    def __init__(
        self,
        models: dict[str, ServedModel],
        offered: Mapping[str, ServedModel],
        clock: Clock,
        timing: Timing,
        free: int | None,
    ) -> None:
        self.models, self.offered = models, offered
        self.clock, self.timing = clock, timing
        self.store = Store(free)
        self.trouble: dict[str, Planned] = {}
        self._blobs: dict[str, int] = {}
        self._digests: dict[str, tuple[ServedModel, str]] = {}

    def digest(self, name: str) -> str:
        """Of a model that is here: stable, and another one when another content was pulled under its name."""
        model = self.models[name]
        known, digest = self._digests.get(name, (None, ""))
        if known is not model:  # there from the start, or put there by a test
            digest = shapes.digest(name, model)
            self._digests[name] = (model, digest)
        return digest

    # looking

    def tags(self) -> Plain:
        """`/api/tags`."""
        listed = [shapes.tags_entry(name, model, self.digest(name)) for name, model in self.models.items()]
        return Plain(go_json({"models": listed}), content_type=JSON)

    def show(self, call: ReceivedCall) -> Plain:
        """`/api/show`."""
        name = call.model or str(call.fields.get("name") or "")
        if not name:
            return shapes.refused(call, Problem(400, "model is required"))
        model = self.models.get(tagged(name))
        if model is None:
            return shapes.refused(call, missing(tagged(name)))
        shown = shapes.shown_model(name, model, self.digest(tagged(name)))
        return Plain(go_json(shown), content_type=JSON)

    # changing

    def copy(self, call: ReceivedCall) -> Plain:
        """`/api/copy`: a second name for a model."""
        source, target = str(call.fields.get("source")), str(call.fields.get("destination"))
        found = tagged(source)
        if found not in self.models:
            return shapes.refused(call, Problem(404, f'model "{source}" not found'))
        self.models[tagged(target)] = self.models[found]
        self._digests[tagged(target)] = (self.models[found], self.digest(found))
        return Plain(b"", content_type=TEXT)

    def delete(self, call: ReceivedCall) -> Plain:
        """`/api/delete`: room is free again once no other name needs the files."""
        name = tagged(call.model)
        if name not in self.models:
            return shapes.refused(call, missing(call.model))
        digest, gone = self.digest(name), self.models.pop(name)
        self._digests.pop(name, None)
        if digest not in map(self.digest, self.models):
            self.store.give_back(gone.size)
        return Plain(b"", content_type=TEXT)

    def blob(self, call: ReceivedCall) -> Plain:
        """`/api/blobs/:digest`: whether a file is there, and taking one."""
        digest = call.path.removeprefix(BLOBS)
        known = digest in self._blobs
        if call.method == "HEAD":
            return Plain(b"", 200 if known else 404, TEXT)
        if call.method != "POST":
            return Plain(b"405 method not allowed", 405, TEXT)
        if not known and digest != f"sha256:{hashlib.sha256(call.body).hexdigest()}":
            return shapes.refused(call, Problem(400, "digest mismatch, file must be downloaded again"))
        self._blobs[digest] = len(call.body) or self._blobs.get(digest, 0)
        return Plain(b"", 200 if known else 201, TEXT)

    def create(self, call: ReceivedCall) -> Reply:
        """`/api/create`: a model of files that were sent."""
        files = call.fields.get("files")
        digests = list(files.values()) if isinstance(files, dict) else []
        lost = [digest for digest in digests if digest not in self._blobs]
        if lost or not digests:
            text = f"blob {lost[0]} not found" if lost else "neither 'from' or 'files' was specified"
            return shapes.refused(call, Problem(400, text))
        name = tagged(call.model)
        self.models[name] = ServedModel(size=sum(self._blobs[digest] for digest in digests))
        content = hashlib.sha256(" ".join(digests).encode()).hexdigest()
        self._digests[name] = (self.models[name], content)
        new = [f"creating new layer {digest}" for digest in digests]
        said = ["parsing GGUF", "verifying conversion", *new, "writing manifest", "success"]
        lines = [Line({"status": text}) for text in said]
        streamed = call.fields.get("stream") is not False
        return _told(lines) if streamed else Plain(go_json({"status": "success"}))

    # pulling

    def pull(self, name: str, *, streamed: bool) -> Reply | Later:
        """Fetch a model; the reply tells of it line by line, or is ready when the model is."""
        lines = list(self._pulled(name))
        return _told(lines) if streamed else self._done(lines)

    def _pulled(self, name: str) -> Iterator[Line]:
        yield Line({"status": "pulling manifest"})
        wanted = self.offered.get(name) or self.models.get(name)
        if wanted is None:
            yield Line({"error": "pull model manifest: file does not exist"})
            return
        planned = self._strike(name)
        if planned and planned.trouble is PullTrouble.UNAUTHORIZED:
            yield Line({"error": "pull model manifest: unauthorized: access denied"})
            return
        digest = shapes.digest(name, wanted)
        layers = layers_of(digest, wanted.size)
        old = self.digest(name) if name in self.models else None
        if old == digest:
            yield from (Line(progress(layer, layer.size)) for layer in layers)
        else:
            for line in fetched(layers, self.store, planned, self.timing):
                yield line
                if "error" in line.said or line.wait is None:
                    return
        yield Line({"status": "verifying sha256 digest"})
        if planned and planned.trouble is PullTrouble.DIGEST:
            yield Line(
                mismatch(layers[0]), done=lambda: self.store.throw_away(layer.digest for layer in layers)
            )
            return

        def keep() -> None:
            self.store.finish(layer.digest for layer in layers)
            self.models[name] = replace(wanted, loaded=False)
            self._digests[name] = (self.models[name], digest)

        yield Line({"status": "writing manifest"}, done=keep)
        if old not in (None, digest):
            yield Line({"status": "removing unused layers"})
        yield Line({"status": "success"})

    def _strike(self, name: str) -> Planned | None:
        planned = self.trouble.get(name)
        if planned and planned.times is not None:
            self.trouble.pop(name)
            if planned.times > 1:
                self.trouble[name] = replace(planned, times=planned.times - 1)
        return planned

    @asynccontextmanager
    async def _done(self, lines: list[Line]) -> AsyncIterator[Reply]:
        for line in lines:
            if line.wait is None:
                await asyncio.Event().wait()  # until the caller leaves
            elif line.wait:
                await self.clock.sleep(line.wait)
            if line.done:
                line.done()
        last = lines[-1].said
        yield Plain(go_json(last), 500 if "error" in last else 200)


def _told(lines: list[Line]) -> Stream:
    def reached(index: int) -> None:
        done = lines[index].done
        if done:
            done()

    *content, closing = [go_json(line.said) + b"\n" for line in lines]
    if lines[-1].wait is None or lines[-1].done:
        content, closing = [*content, closing], b""
    waits = tuple(line.wait for line in lines[: len(content)])
    failure = go_json({"error": "unexpected EOF"}) + b"\n"
    return Stream((), tuple(content), (closing,), failure, NDJSON, waits=waits, reached=reached)
