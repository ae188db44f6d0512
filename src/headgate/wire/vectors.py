"""Vectors as bytes: little-endian float32, the form in which `Reply.vectors` keeps them and base64 carries them.

What came as decimals is rounded to float32, which is all that embedding models give. It does not know who made a vector or
what it stands for.
"""

import sys
from array import array
from base64 import b64decode
from collections.abc import Sequence
from math import isfinite

NUMBER = 4
"""Bytes of a float32."""


def pack(vector: str | list[float]) -> bytes:
    """A vector of numbers, or of base64, as bytes.

    Raises:
        binascii.Error: it is not base64.
    """
    if isinstance(vector, str):
        return b64decode(vector, validate=True)
    return native(array("f", vector)).tobytes()


def unpack(vector: bytes) -> list[float]:
    """The numbers of a vector."""
    return native(array("f", vector)).tolist()


def native(numbers: "array[float]") -> "array[float]":
    """The numbers in this machine's order of bytes, or back in the order of the wire."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def problem_with(vectors: Sequence[bytes], texts: int, dimensions: int | None) -> str:
    """What is wrong with the vectors of so many texts, for people; "" if nothing is.

    Args:
        vectors: what an engine gave.
        texts: how many there should be.
        dimensions: how many numbers each should have; None leaves it to the model.
    """
    if len(vectors) != texts:
        return f"{len(vectors)} vectors came for {texts} texts"
    sizes = {len(vector) for vector in vectors}
    if len(sizes) != 1 or (size := sizes.pop()) == 0 or size % NUMBER:
        return "the vectors are not of one length"
    if dimensions is not None and size != dimensions * NUMBER:
        return f"the vectors have {size // NUMBER} numbers, not the asked {dimensions}"
    # A sum is finite only if all its numbers are: float32 cannot overflow the double that adds them up.
    if not all(isfinite(sum(native(array("f", vector)))) for vector in vectors):
        return "a vector has a number that is not finite"
    return ""
