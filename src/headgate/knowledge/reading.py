"""INTERIM: reading files until headgate.documents can."""

import os
from collections.abc import Iterable
from pathlib import Path

from headgate.core.tokens import BYTES_PER_TOKEN, length
from headgate.documents.types import Trouble
from headgate.knowledge.types import Chunk, File


def scan(folders: Iterable[str]) -> tuple[dict[str, File], list[Trouble]]:
    found: dict[str, File] = {}
    troubles: list[Trouble] = []
    for folder in folders:
        root = Path(folder)
        paths = (
            [root]
            if root.is_file()
            else [Path(at) / name for at, dirs, names in os.walk(root) for name in names]
        )
        for path in sorted(paths):
            if path.suffix not in (".md", ".txt"):
                continue
            stat = path.stat()
            found[str(path)] = File(path=str(path), size=stat.st_size, mtime=stat.st_mtime_ns)
    return found, troubles


def read(path: str, size: int) -> tuple[list[Chunk], list[Trouble]]:
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    chunks: list[Chunk] = []
    stack: list[tuple[int, str]] = []
    lines: list[str] = []
    begun = 1

    def flush(last: int) -> None:
        body = "\n".join(lines).strip()
        if body:
            chunks.append(
                Chunk(
                    source=path,
                    heading=" › ".join(t for _, t in stack),
                    text=body,
                    line=begun,
                    last_line=last,
                    tokens=length(body) // BYTES_PER_TOKEN + 1,
                )
            )
        lines.clear()

    used = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            flush(number - 1)
            level = len(line) - len(line.lstrip("#"))
            while stack and stack[-1][0] >= level:
                stack.pop()
            stack.append((level, line.lstrip("# ").strip()))
            used = 0
            continue
        if not lines:
            begun, used = number, 0
        if used > size * 4 and not line.strip():
            flush(number - 1)
            continue
        lines.append(line)
        used += len(line)
    flush(len(text.splitlines()))
    return chunks, []
