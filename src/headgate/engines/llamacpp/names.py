"""What the names of GGUF files say: which quantization, which part of how many, and which of several was meant.

Pure functions over names. There is no standard for them, only habits, so a header knows better where there is one.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

DEFAULT = "Q4_K_M"
"""The quantization when the user does not say: what most people run."""

_PART = re.compile(r"(?P<base>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})\.gguf", re.IGNORECASE)
_QUANTIZATION = re.compile(
    r"(?:^|[-._/])((?:UD-)?(?:I?Q|TQ)\d\w*|BF16|F16|FP16|F32|MXFP4\w*)(?=[-./]|$)", re.IGNORECASE
)
_OWNER_AND_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_HUBS = ("hf.co/", "huggingface.co/", "https://hf.co/", "https://huggingface.co/")


class Part(NamedTuple):
    """Where a file stands among those that a big model was split into."""

    base: str
    """What all of them begin with."""
    number: int
    """From 1."""
    of: int


class Repository(NamedTuple):
    """A place on Hugging Face, as Ollama and llama.cpp write it: `hf.co/OWNER/REPO[:QUANT]`."""

    path: str
    """OWNER/REPO"""
    wanted: str
    """A quantization or a file's name; "" is ours to choose."""

    def __str__(self) -> str:
        return f"hf.co/{self.path}" + (f":{self.wanted}" if self.wanted else "")


def repository_in(name: str) -> Repository | None:
    """The repository that a name speaks of; None when it speaks of something else."""
    hub = next((hub for hub in _HUBS if name.startswith(hub)), None)
    if hub is None:
        return None
    path, _, wanted = name.removeprefix(hub).partition(":")
    sound = _OWNER_AND_REPO.fullmatch(path) and ".." not in path
    return Repository(path, wanted) if sound else None


def part_in(file: str) -> Part | None:
    """What a file's name says of a split; None when it is whole."""
    found = _PART.fullmatch(file)
    return Part(found["base"], int(found["number"]), int(found["of"])) if found else None


def parts_of(file: str) -> tuple[str, ...]:
    """All files of the model that a file belongs to, the first one first."""
    part = part_in(file)
    if part is None:
        return (file,)
    return tuple(f"{part.base}-{number:05}-of-{part.of:05}.gguf" for number in range(1, part.of + 1))


def is_model(file: str) -> bool:
    """Whether it is a model's file, or the first of its files: not the eyes of one, nor notes for making one."""
    name = file.rpartition("/")[2].lower()
    part = part_in(file)
    return (
        name.endswith(".gguf")
        and not name.startswith(("mmproj", "imatrix"))
        and (part is None or part.number == 1)
    )


def stem(file: str) -> str:
    """A model's name: its file's, without the ending and the part's number."""
    part = part_in(file)
    return part.base if part else re.sub(r"\.gguf$", "", file, flags=re.IGNORECASE)


def quantization_in(file: str) -> str:
    """The quantization in a file's name; "" when it says none."""
    found = _QUANTIZATION.findall(stem(file))
    return found[-1].upper() if found else ""


def choose(files: Iterable[str], wanted: str) -> str | None:
    """The file that was meant.

    Args:
        files: models, or their first parts.
        wanted: a quantization or a file's name; "" is the usual quantization, or the one that is nearest.
    """
    many = sorted(files)
    if wanted:
        asked = wanted.lower()
        exact = [file for file in many if asked in (file.lower(), file.rpartition("/")[2].lower())]
        return next(iter(exact or [file for file in many if quantization_in(file).lower() == asked]), None)
    return min(many, key=_strangeness, default=None)


def choices(files: Iterable[str]) -> Sequence[str]:
    """What there is to choose from, for people."""
    return sorted({quantization_in(file) or file for file in files})


def _strangeness(file: str) -> tuple[bool, int, int, bool, bool, str]:
    """How far a file is from the usual one. More bits are better than fewer, where both are as near."""
    quantization = quantization_in(file)
    bits = next((int(digits) for digits in re.findall(r"\d+", quantization)), 99)
    usual = int(DEFAULT[1])
    plain = "_K" not in quantization
    return quantization != DEFAULT, abs(bits - usual), -bits, "_K_M" not in quantization, plain, file
