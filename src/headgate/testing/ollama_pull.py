"""What a pull of Ollama reports, line by line, with what happens on the disk meanwhile.

Layers come one after the other: the weights, then the small ones. A line may have a wait before it, and a deed that is done when its
time has come. All of it is worked out before the first line is sent; who sends it, and whether anybody listens, is not known here.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from headgate.testing.clock import GIB, Timing
from headgate.testing.downloads import Planned, PullTrouble, Store, marks

_BLOBS = "/usr/share/ollama/.ollama/models/blobs"
_NONE = Planned(PullTrouble.STALL, after=2.0)
"""No trouble on the way: it would come after the end."""


class Layer(msgspec.Struct, frozen=True):
    """A file of a model. Its digest is 64 hex digits."""

    digest: str
    size: int


class Line(msgspec.Struct, frozen=True):
    """One line of a pull: what it says, the seconds before it (None: it never comes), and what is done by then."""

    said: dict[str, Any]
    wait: float | None = 0.0
    done: Callable[[], object] | None = None


def layers_of(digest: str, size: int) -> tuple[Layer, ...]:
    """The files of a model: the weights under the model's digest, a template and a config; together they have its size."""
    template, config = min(1_482, size // 100), min(486, size // 100)
    small = [(f"{digest} template", template), (f"{digest} config", config)]
    named = [Layer(hashlib.sha256(name.encode()).hexdigest(), bytes_) for name, bytes_ in small]
    return (Layer(digest, size - template - config), *named)


def fetched(
    layers: tuple[Layer, ...], store: Store, planned: Planned | None, timing: Timing
) -> Iterator[Line]:
    """The lines until everything is on the disk. The last one has an `error`, or never comes, if that is not to be."""
    trouble = planned if planned and planned.trouble is not PullTrouble.DIGEST else _NONE
    strikes = int(sum(layer.size for layer in layers) * trouble.after)
    free = store.free
    for number, layer in enumerate(layers):
        start = min(store.has(layer.digest), layer.size)
        room = layer.size if free is None else min(layer.size, start + free)
        upto = min(room, max(strikes, start))
        yield Line(progress(layer, start))
        for _, done in marks(start, upto, 1 if number else 4):
            wait = timing.download_gib * (done - start) / GIB
            yield Line(progress(layer, done), wait, _writing(store, layer, done))
            start = done
        if upto == strikes < layer.size:
            yield _ended(trouble.trouble, layer)
            return
        if upto < layer.size:
            yield _ended(PullTrouble.DISK_FULL, layer)
            return
        strikes -= layer.size
        free = None if free is None else free - (upto - store.has(layer.digest))


def progress(layer: Layer, completed: int) -> dict[str, Any]:
    """How far a layer is; nothing is not said."""
    said = {"status": f"pulling {layer.digest[:12]}", "digest": f"sha256:{layer.digest}", "total": layer.size}
    return said | ({"completed": completed} if completed else {})


def mismatch(layer: Layer) -> dict[str, Any]:
    """The bytes that came are not those that were wanted."""
    got = hashlib.sha256(layer.digest.encode()).hexdigest()
    return {
        "error": f"digest mismatch, file must be downloaded again: want sha256:{layer.digest}, got sha256:{got}"
    }


def _writing(store: Store, layer: Layer, upto: int) -> Callable[[], object]:
    return lambda: store.write(layer.digest, upto)


def _ended(trouble: PullTrouble, layer: Layer) -> Line:
    match trouble:
        case PullTrouble.STALL:
            return Line({"status": "stalled"}, wait=None)
        case PullTrouble.DISK_FULL:
            return Line({"error": f"write {_BLOBS}/sha256-{layer.digest}-partial: no space left on device"})
    return Line({"error": "max retries exceeded: unexpected EOF"})
