"""The canned engine and the load generator: two small C programs, compiled on first use."""

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from beside import process, texts

HERE = Path(__file__).parent
BUILT = HERE.parent / ".envs" / "bin"


class Load(msgspec.Struct, frozen=True):
    """What the load generator saw. Latencies are milliseconds."""

    answers: int
    errors: int
    seconds: float
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def compiler() -> str | None:
    """The C compiler, or None."""
    named = (sysconfig.get_config_var("CC") or "").split()
    return next((found for name in ("cc", "gcc", "clang", *named[:1]) if (found := shutil.which(name))), None)


def built(name: str) -> Path:
    """The program, compiled if its source is newer.

    Raises:
        FileNotFoundError: there is no C compiler.
    """
    source, program = HERE / f"{name}.c", BUILT / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        cc = compiler()
        if cc is None:
            raise FileNotFoundError("a C compiler (cc) is needed for the load generator")
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run([cc, "-O2", "-o", program, source, "-lm"], check=True)
    return program


@contextmanager
def upstream(folder: Path, core: int) -> Iterator[int]:
    """The canned engine, on one core; gives its port."""
    post, get = folder / "completion.json", folder / "models.json"
    post.write_bytes(texts.completion())
    get.write_bytes(texts.model_list())
    command = process.pinned(core, [str(built("upstream")), str(post), str(get)])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            yield int(running.stdout.readline())
        finally:
            running.kill()


def send(
    folder: Path,
    port: int,
    path: str,
    model: str,
    *,
    core: int,
    connections: int = 32,
    rate: float = 0,
    seconds: float = 3600,
    requests: int = 0,
) -> Load:
    """Send the request over and over, until the time or the number is up.

    Args:
        folder: where the request's body may be written.
        port: of the gate.
        path: of its chat completions.
        model: the model's name there.
        core: the core that the load generator runs on.
        connections: kept alive, each with one request under way at most.
        rate: requests a second, at even intervals; 0 sends the next when the last is answered.
        seconds: how long at most.
        requests: how many answers at most; 0 is no limit.
    """
    body = folder / "request.json"
    body.write_bytes(texts.request_body(model))
    words = [port, path, body, texts.MARKER, connections, rate, seconds, requests]
    command = process.pinned(core, [str(built("load")), *map(str, words)])
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=Load)
