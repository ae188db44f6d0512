"""What is shipped, and what it costs to have it: the wheel's contents, imports, packages, megabytes, the first --help."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "headgate"

WATCH = """
import json, sys
opened, asked = [], []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        name = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode("utf-8", "replace")
        opened.append([name, str(arguments[1])])
    elif event.startswith(("socket.", "subprocess.", "sqlite3.", "os.system", "os.exec", "os.fork")):
        asked.append([event, repr(arguments)])

sys.addaudithook(watch)
before = set(sys.modules)
{program}
print(json.dumps({"opened": opened, "asked": asked, "modules": sorted(set(sys.modules) - before)}))
"""

EVERY_MODULE = """
import importlib, pkgutil, headgate
for found in pkgutil.walk_packages(headgate.__path__, "headgate."):
    importlib.import_module(found.name)
"""

CODE = (".py", ".pyc", ".so", ".pyd", ".dylib", ".pth")


def watch(program: str) -> dict[str, list[list[str]]]:
    """Run a program in a fresh interpreter; what it opened, whom it asked, what it loaded."""
    order = [sys.executable, "-c", WATCH.replace("{program}", program)]
    done = subprocess.run(order, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def quickest(times: int, order: list[str]) -> float:
    """Seconds of processor time of the quickest of some runs, since others share this machine; alone, it is what one waits."""
    seconds = []
    for _ in range(times):
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run(order, check=True, capture_output=True)
        after = getrusage(RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


# ── Imports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_importing_headgate_reads_nothing_but_its_own_code_and_asks_nobody():
    seen = watch("import headgate")
    strange = [
        name
        for name, _ in seen["opened"]
        if not (name.endswith(CODE) and Path(name).is_relative_to(SOURCE.parent))
    ]
    assert not strange
    assert not seen["asked"]
    assert seen["modules"] == ["headgate"]


def test_importing_every_module_asks_nobody_writes_nothing_and_reads_no_data_of_ours():
    seen = watch(EVERY_MODULE)
    assert "headgate.app" in seen["modules"]
    assert not [event for event in seen["asked"] if event[0] != "socket.__new__"]
    assert not [
        name for name, mode in seen["opened"] if set(mode) & set("wax+") and not name.endswith(".pyc")
    ]
    ours = [name for name, _ in seen["opened"] if Path(name).is_relative_to(SOURCE)]
    assert not [name for name in ours if not name.endswith(CODE) and ".pyc." not in name]


def test_the_watch_sees_what_it_forbids(tmp_path):
    seen = watch(f"import socket; open({str(tmp_path / 'x')!r}, 'w').close(); socket.socket().close()")
    assert [str(tmp_path / "x"), "w"] in seen["opened"]
    assert [event for event, _ in seen["asked"]] == ["socket.__new__"]


def test_importing_headgate_takes_less_than_150_ms():
    order = [sys.executable, "-X", "importtime", "-c", "import headgate"]
    times = []
    for _ in range(3):
        done = subprocess.run(order, check=True, capture_output=True, text=True)
        line = next(line for line in done.stderr.splitlines() if line.rstrip().endswith("| headgate"))
        times.append(int(line.split("|")[1]) / 1000)
    assert min(times) < 150


def test_help_answers_within_300_ms():
    assert quickest(3, [sys.executable, "-m", "headgate", "--help"]) < 0.3


def test_help_loads_nothing_that_it_does_not_need():
    seen = watch(
        "import contextlib, io\nfrom headgate.cli.main import main\nwith contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])"
    )
    heavy = {
        "asyncio",
        "msgspec",
        "sqlalchemy",
        "rich",
        "genai_prices",
        "tiktoken",
        "headgate.app",
    }
    assert not heavy & set(seen["modules"])


# ── Dependencies ─────────────────────────────────────────────────────────────────────────────────────────────────────


def dependencies() -> ModuleType:
    """scripts/dependencies.py as a module."""
    spec = importlib.util.spec_from_file_location("dependencies", ROOT / "scripts" / "dependencies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own_size() -> int:
    """Bytes of Headgate once installed: its files, and as much again for each module's .pyc."""
    files = [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sum(path.stat().st_size * (2 if path.suffix == ".py" else 1) for path in files)


def test_the_core_install_stays_within_45_packages_and_110_megabytes():
    script = dependencies()
    found = script.closure(*script.direct_names())
    compiled = [script.size_of(one, ".pyc") or script.size_of(one, ".py") for one in found.values()]
    rest = [script.size_of(one) - script.size_of(one, ".pyc") for one in found.values()]
    megabytes = (sum(compiled) + sum(rest) + own_size()) / 1e6
    assert len(found) + 1 <= 45
    assert megabytes <= 110


def test_no_extra_is_needed_by_the_core():
    script = dependencies()
    core = script.closure(*script.direct_names())
    assert not {"xllamacpp", "sqlglot", "tree-sitter-typescript", "pytest", "mypy", "ruff"} & set(core)


# ── The wheel ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    order = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(order, check=True, capture_output=True, timeout=300)
    (path,) = folder.glob("headgate-*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_everything_that_is_not_code(wheel):
    names = set(wheel.namelist())
    data = {
        f"headgate/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert data <= names
    for wanted in (
        "headgate/py.typed",
        "headgate/config/starter.toml",
        "headgate/demo/demo.toml",
        "headgate/engines/llamacpp/models/headgate-nano.gguf",
        "headgate/engines/llamacpp/models/headgate-micro.gguf",
        "headgate/engines/llamacpp/models/headgate-clerk.gguf",
        "headgate/engines/llamacpp/models/headgate-embed.gguf",
        "headgate/engines/vocabulary/cl100k_base.xz",
        "headgate/engines/vocabulary/o200k_base.xz",
    ):
        assert wheel.getinfo(wanted).file_size >= (1 if not wanted.endswith("py.typed") else 0)
    assert any(name.startswith("headgate/demo/data/") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_has_nothing_else(wheel):
    strangers = [name for name in wheel.namelist() if not name.startswith(("headgate/", "headgate-"))]
    assert not strangers
    assert sum(info.file_size for info in wheel.infolist()) < 11_000_000


def test_the_wheel_says_what_it_is(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    said = metadata.PathDistribution(zipfile.Path(wheel, name.removesuffix("METADATA"))).metadata
    assert said["Name"] == "headgate"
    assert said["License-Expression"] == "MIT"
    assert said["Requires-Python"] == ">=3.11"
    assert set(said.get_all("Provides-Extra")) >= {"embedded", "knowledge", "documents", "mcp", "code", "dev"}
    assert "How savings are computed" in said.get_payload()
