"""Finds the GGUF files on this machine: our own folder's, Ollama's and LM Studio's. None of them is moved or copied.

    NAME                        in our own folder
    hf.co/OWNER/REPO[:QUANT]    pulled into it from Hugging Face
    ollama:NAME[:TAG]           in Ollama's store
    lmstudio:OWNER/REPO/FILE    in LM Studio's folder

Looks at names and sizes, never into a model: `catalogue` does. A folder that is not there, or that we may not read, holds
nothing. Everything here blocks for as long as the disk takes.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from headgate.config.model_folders import lmstudio_folders, ollama_folders, own_folder
from headgate.engines.llamacpp.names import (
    Repository,
    choose,
    is_model,
    parts_of,
    repository_in,
    stem,
)

Place = Literal["own", "ollama", "lmstudio"]

_MODEL_LAYER = "application/vnd.ollama.image.model"
_OLLAMA_REGISTRY = "registry.ollama.ai"


class Found(Struct, frozen=True, kw_only=True):
    """A model that lies on this machine."""

    name: str
    """How the config names it."""
    place: Place
    path: Path
    """Its file, or the first of them."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that it needs; whether they are there is another question."""
        return tuple(self.path.with_name(name) for name in parts_of(self.path.name))


class WireLayer(Struct, rename="camel"):
    """One file of a model, as Ollama's manifest names it."""

    media_type: str = ""
    digest: str = ""


class WireManifest(Struct):
    """Ollama's list of a model's files."""

    layers: list[WireLayer] = []


def library() -> tuple[Found, ...]:
    """Every model that is there, each once."""
    found = {model.name: model for model in (*_ours(), *_ollamas(), *_lmstudios())}
    return tuple(found.values())


def find(name: str) -> Found | None:
    """The model that a name means, in whichever way it is written."""
    if repository := repository_in(name):
        return _pulled(repository)
    place, colon, rest = name.partition(":")
    if colon and place == "ollama":
        return _in_ollama(rest)
    if colon and place == "lmstudio":
        return _in_lmstudio(rest.removesuffix(".gguf"))
    if any(part in ("", ".", "..") for part in name.split("/")):
        return None  # a path, and none of ours
    return next((model for model in _ours() if name in (model.name, f"{model.name}.gguf")), None)


def is_ours(path: Path) -> bool:
    """Whether a file lies in our own folder, links followed."""
    return path.resolve().is_relative_to(own_folder().resolve())


def _ours() -> Iterator[Found]:
    for path, name in _models_below(own_folder()):
        yield Found(name=stem(name), place="own", path=path)


def _pulled(repository: Repository) -> Found | None:
    folder = own_folder() / repository.path
    files = {name: path for path, name in _models_below(folder)}
    chosen = choose(files, repository.wanted)
    return None if chosen is None else Found(name=str(repository), place="own", path=files[chosen])


def _lmstudios() -> Iterator[Found]:
    for folder in lmstudio_folders():
        for path, name in _models_below(folder):
            yield Found(name=f"lmstudio:{stem(name)}", place="lmstudio", path=path)


def _in_lmstudio(name: str) -> Found | None:
    """By the file's full name, or by its repository's where that has one model only."""
    there = list(_lmstudios())
    exact = [model for model in there if model.name == f"lmstudio:{name}"]
    inside = [model for model in there if model.name.startswith(f"lmstudio:{name}/")]
    return next(iter(exact or (inside if len(inside) == 1 else [])), None)


def _ollamas() -> Iterator[Found]:
    for folder in ollama_folders():
        for manifest, name in _files_below(folder / "manifests", ""):
            if model := _from_manifest(folder, manifest, f"ollama:{_short(name)}"):
                yield model


def _in_ollama(name: str) -> Found | None:
    full = _in_full(name)
    if full is None:
        return None
    manifests = ((folder, folder / "manifests" / full) for folder in ollama_folders())
    found = (_from_manifest(folder, manifest, f"ollama:{name}") for folder, manifest in manifests)
    return next((model for model in found if model), None)


def _from_manifest(folder: Path, manifest: Path, name: str) -> Found | None:
    try:
        layers = msgspec.json.decode(manifest.read_bytes(), type=WireManifest).layers
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    digest = next((layer.digest for layer in layers if layer.media_type == _MODEL_LAYER), "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return None
    return Found(name=name, place="ollama", path=folder / "blobs" / digest.replace(":", "-"))


def _short(manifest: str) -> str:
    """Ollama's name for HOST/NAMESPACE/MODEL/TAG, without what it supplies itself."""
    where, _, tag = manifest.rpartition("/")
    return f"{where.removeprefix(f'{_OLLAMA_REGISTRY}/').removeprefix('library/')}:{tag}"


def _in_full(name: str) -> PurePosixPath | None:
    """HOST/NAMESPACE/MODEL/TAG for one of Ollama's names; None when it is none."""
    where, _, tag = name.partition(":")
    words = where.split("/")
    missing = [_OLLAMA_REGISTRY, "library"][: max(0, 3 - len(words))]
    parts = [*missing, *words, tag or "latest"]
    sound = len(parts) == 4 and all(re.fullmatch(r"\w[\w.-]*", part) for part in parts)
    return PurePosixPath(*parts) if sound else None


def _models_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Models and their names below a folder, of a split one the first file."""
    for path, name in _files_below(folder, ".gguf"):
        if is_model(name):
            yield path, name


def _files_below(folder: Path, ending: str) -> Iterator[tuple[Path, str]]:
    """Files and their names below a folder, in order; what cannot be read is passed over."""
    for where, inner, files in os.walk(folder, followlinks=False):
        inner.sort()
        for file in sorted(files):
            if file.lower().endswith(ending) and not file.startswith("."):
                path = Path(where, file)
                yield path, path.relative_to(folder).as_posix()
