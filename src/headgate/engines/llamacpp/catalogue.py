"""From the name of a model to a file that can be loaded: the small ones that ship with Headgate, any GGUF file, the library.

Reads the head of a file and samples of the rest, never all of it, and decides how to run it (threads, context, memory for
its prompt cache). It does not know processes or servers.
"""

import difflib
import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from headgate.config.model_folders import lmstudio_folders, ollama_folders, own_folder
from headgate.core.engine import ListedModel
from headgate.core.errors import EngineError
from headgate.core.memory import Shape
from headgate.engines.llamacpp import library
from headgate.engines.llamacpp.header import Header, read_header, shape_of
from headgate.engines.llamacpp.names import parts_of, repository_in
from headgate.engines.llamacpp.shipped import SHIPPED, shipped_folder

SMALL = 64 * 1024 * 1024
"""Bytes. Below this, a second thread costs more in waiting than it gives (see docs/embedded.md)."""

CONTEXT = 8192
"""Tokens per slot when the user does not say: what fits beside everything else on a plain machine."""

SAMPLE = 1024 * 1024
"""Bytes at the start, in the middle and at the end of a file that its digest is taken of."""


class File(Struct, frozen=True, kw_only=True):
    """A GGUF file, or all files of a split one, that is there and has a readable head."""

    path: Path
    """The first file."""
    size: int
    """Bytes of all of them."""
    header: Header
    digest: str = ""
    """Of samples of its content and of its size: another one is another model."""

    @property
    def small(self) -> bool:
        """One thread is the fastest way to run it."""
        return self.size < SMALL

    @property
    def context(self) -> int:
        """Tokens per slot when the user does not say."""
        return min(self.header.context or CONTEXT, CONTEXT)

    @property
    def shape(self) -> Shape | None:
        """What decides its memory; None when the file does not say."""
        return shape_of(self.header, self.size)

    def threads(self, cores: int) -> int:
        """Threads when the user does not say: one core is left to the gate and the rest of the machine."""
        return 1 if self.small else max(1, cores - 1)

    def listed(self, name: str, *, context: int | None, loaded: bool | None) -> ListedModel:
        """The file as an engine lists it."""
        return ListedModel(
            id=name,
            kind="embedding" if self.header.embeds else "chat",
            context=context,
            size=self.size,
            quantization=self.header.quantization,
            parameters=self.header.parameters,
            loaded=loaded,
            digest=self.digest,
        )


def resolve(model: str) -> Path | EngineError:
    """Find a model's file.

    Args:
        model: a shipped model's name, a path to a GGUF file ("~" is the home folder), or a name in the `library`.
    """
    if model in SHIPPED:
        path = shipped_folder() / f"{model}.gguf"
        missing = EngineError(f"the shipped model {model} is missing: {path}", "reinstall Headgate")
        return path if path.is_file() else missing
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if found := library.find(model):
        return found.path
    return _no_such(model, path)


def _no_such(model: str, path: Path) -> EngineError:
    """Say that there is no such model, and which one was perhaps meant."""
    if repository_in(model):
        return EngineError(f"{model} has not been pulled", f"headgate models pull {model}")
    if model.startswith("hf.co/"):
        return EngineError(f"{model} is no repository", "write hf.co/OWNER/REPO or hf.co/OWNER/REPO:Q4_K_M")
    where = model.partition(":")[0] if model.startswith(("ollama:", "lmstudio:")) else ""
    if not where and (path.suffix == ".gguf" or path.name != model):
        return EngineError(
            f"the model file {path} does not exist", "check the path, or download a GGUF file to it"
        )
    names = [found.name for found in library.library()]
    own = names if where else [*SHIPPED, *names]
    if meant := _meant(model, own):
        return EngineError(f"there is no embedded model {model!r}", f"did you mean {meant}?")
    if where:
        folders = ollama_folders() if where == "ollama" else lmstudio_folders()
        looked = " and ".join(map(str, folders))
        return EngineError(f"there is no GGUF model {model!r}", f"looked in {looked}")
    return EngineError(
        f"there is no embedded model {model!r}",
        f"name one of {', '.join(SHIPPED)}, a GGUF file, or hf.co/OWNER/REPO",
    )


def _meant(model: str, names: Sequence[str]) -> str:
    """The name that was probably meant: the same one in another place, or one that looks like it; "" when none does."""
    plain = model.removeprefix("ollama:").removeprefix("lmstudio:")
    elsewhere = (name for name in names if name.partition(":")[2] in (plain, f"{plain}:latest"))
    alike = iter(difflib.get_close_matches(model, names, n=1, cutoff=0.7))
    return next(elsewhere, None) or next(alike, "")


def examine(model: str) -> File | EngineError:
    """Find a model's file and read its head. Blocks for as long as the disk takes."""
    path = resolve(model)
    if isinstance(path, EngineError):
        return path
    parts = [path.with_name(name) for name in parts_of(path.name)]
    try:
        if missing := [part.name for part in parts if not part.is_file()]:
            return EngineError(
                f"the model file {path} is one of {len(parts)}, and {missing[0]} is missing",
                "download all of them",
            )
        size = sum(part.stat().st_size for part in parts)
        header = _header_of(path) if path.stat().st_size else "it is empty"
        if isinstance(header, str):
            return EngineError(
                f"the model file {path} cannot be used: {header}", "download it again, in GGUF form"
            )
        return File(path=path, size=size, header=header, digest=_digest_of(parts))
    except OSError as error:
        return EngineError(f"the model file {path} cannot be read: {error.strerror}", "check its permissions")


def survey() -> tuple[ListedModel, ...]:
    """Every model that could be loaded here, by the name that a config uses. Files that cannot be read are left out."""
    names = [*SHIPPED, *(found.name for found in library.library())]
    files = ((name, examine(name)) for name in names)
    return tuple(
        file.listed(name, context=file.header.context, loaded=None)
        for name, file in files
        if isinstance(file, File)
    )


def _header_of(path: Path) -> Header | str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return read_header(data)


def _digest_of(parts: Sequence[Path]) -> str:
    """A digest in milliseconds, where reading all of a big model takes minutes."""
    digest = hashlib.sha256()
    for part in parts:
        size = part.stat().st_size
        digest.update(b"%d:" % size)
        with part.open("rb") as file:
            for at in sorted({0, max(0, size // 2), max(0, size - SAMPLE)}):
                file.seek(at)
                digest.update(file.read(SAMPLE))
    return f"sampled:{digest.hexdigest()}"


def remove(model: str) -> EngineError | None:
    """Delete a model's files from our own folder, and the folders that are empty then. Blocks."""
    path = resolve(model)
    if isinstance(path, EngineError):
        return path
    if not library.is_ours(path):
        return EngineError(
            f"{model} lies outside of our own folder, at {path}", f"remove it there: {_owner(model)}"
        )
    try:
        for name in parts_of(path.name):
            path.with_name(name).unlink(missing_ok=True)
        for folder in path.parents:
            if folder == own_folder() or any(folder.iterdir()):
                break
            folder.rmdir()
    except OSError as error:
        return EngineError(f"{path} cannot be deleted: {error.strerror}", "check its permissions")
    return None


def _owner(model: str) -> str:
    """What takes away a model that is not ours."""
    if model in SHIPPED:
        return "it comes with Headgate"
    if model.startswith("ollama:"):
        return f"ollama rm {model.removeprefix('ollama:')}"
    return "in LM Studio" if model.startswith("lmstudio:") else "it is a file of yours"
