"""The gates that are compared: how each is set up, started and asked.

All forward one model to one engine on this machine, log in no database of others, and check no key. Headgate alone routes,
checks each answer and writes it down; that is what it is for, so it is measured with all of it on.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".envs"


@dataclass(frozen=True, slots=True)
class Gate:
    """A gateway in front of the engine."""

    name: str
    note: str
    """One sentence for the method: how it is run."""
    model: str
    """The name of the engine's model at this gate."""
    path: str
    """Its chat completions."""
    ready: str
    """What it answers once it serves; the status does not matter as long as it is not the server's fault."""
    set_up: Callable[[Path, int, int], list[str]]
    """(empty folder, port to listen on, the engine's port) → the command; writes its config into the folder."""
    version: Callable[[], str | None]
    """Its version, or None when it is not installed."""
    missing: str
    """What to do when it is not."""
    chooses_port: bool = False
    """It listens where it likes, and writes the port to the file `port` in the folder."""


def run_quietly(*command: str) -> str | None:
    """What a command says, or None when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return (done.stdout + done.stderr).strip()


# ── nginx ────────────────────────────────────────────────────────────────────────────────────────────────────────────

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream engine {{
    server 127.0.0.1:{engine};
    keepalive 64;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def set_up_nginx(folder: Path, port: int, engine: int) -> list[str]:
    page = folder / "nginx.conf"
    page.write_text(NGINX.format(folder=folder, port=port, engine=engine))
    return [str(nginx_program()), "-p", str(folder), "-e", "stderr", "-c", str(page)]


def nginx_version() -> str | None:
    program = nginx_program()
    said = run_quietly(program, "-v") if program else None
    return said.rpartition("/")[2].split()[0] if said else None


# ── Headgate ─────────────────────────────────────────────────────────────────────────────────────────────────────────

HEADGATE = """
[server]
listen = "127.0.0.1:{port}"

[engines.home]
kind = "openai_compatible"
url = "http://127.0.0.1:{engine}/v1"
parallel = 32

[engines.cloud]
kind = "openai_compatible"
url = "http://127.0.0.1:{engine}/v1"
local = false

[models.small]
engine = "home"
id = "bench"
context = 16384

[models.coder]
engine = "home"
id = "bench-coder"
context = 16384

[models.large]
engine = "cloud"
id = "bench-large"
price = {{ input = 2.5, output = 10 }}

[[routes]]
name = "labels"
tasks = ["classification", "sentiment"]
try = ["small", "large"]

[[routes]]
name = "long"
tokens_over = 4000
try = ["large"]

[[routes]]
name = "short summaries"
tasks = ["summarization"]
tokens_under = 2000
try = ["small", "large"]

[[routes]]
name = "code"
tasks = ["code"]
try = ["coder", "large"]

[[routes]]
name = "everything else"
try = ["small", "large"]

[quality.tasks]
classification = ["known-label"]
sentiment = ["known-label"]
summarization = ["shorter-than-source", "grounded-numbers"]
code = ["code-parses"]

[limits]
paid_per_day = 25.00

[ledger]
path = "{folder}/ledger.db"
"""
"""The starter page's policy, with the canned engine at home and in the cloud; 32 slots, so that our queue does not wait
for an engine that never does."""


def set_up_headgate(folder: Path, port: int, engine: int) -> list[str]:
    page = folder / "headgate.toml"
    page.write_text(HEADGATE.format(folder=folder, port=port, engine=engine))
    return [sys.executable, "-m", "headgate", "up", "--config", str(page)]


def headgate_version() -> str | None:
    from headgate import __version__

    return __version__


# ── LiteLLM ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LITELLM = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{engine}/v1
      api_key: none
general_settings:
  dangerously_permit_weak_or_unset_master_key: true
"""


def set_up_litellm(folder: Path, port: int, engine: int) -> list[str]:
    page = folder / "litellm.yaml"
    page.write_text(LITELLM.format(engine=engine))
    program = str(ENVIRONMENTS / "litellm/bin/litellm")
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return [program, "--config", str(page), *where, "--num_workers", "1", "--telemetry", "False"]


# ── TensorZero ───────────────────────────────────────────────────────────────────────────────────────────────────────

TENSORZERO = """
[gateway]
observability.enabled = false
disable_pseudonymous_usage_analytics = true

[models.bench]
routing = ["canned"]

[models.bench.providers.canned]
type = "openai"
api_base = "http://127.0.0.1:{engine}/v1/"
model_name = "bench"
api_key_location = "none"
"""

TENSORZERO_SCRIPT = """
import pathlib, signal, types, urllib.parse, warnings
warnings.simplefilter("ignore")
import tensorzero
client = types.SimpleNamespace(base_url=None)
tensorzero.patch_openai_client(client, config_file="tensorzero.toml", async_setup=False)
port = urllib.parse.urlsplit(str(client.base_url)).port
pathlib.Path("port.new").write_text(str(port))
pathlib.Path("port.new").rename("port")
signal.pause()
"""
"""The package starts its gateway, an HTTP server in Rust, for an OpenAI client; here the client is only an address."""


def set_up_tensorzero(folder: Path, _port: int, engine: int) -> list[str]:
    (folder / "tensorzero.toml").write_text(TENSORZERO.format(engine=engine))
    (folder / "serve.py").write_text(TENSORZERO_SCRIPT)
    return [str(ENVIRONMENTS / "tensorzero/bin/python"), "serve.py"]


def version_in(environment: str, package: str) -> Callable[[], str | None]:
    """The version of a package in an environment of its own."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return lambda: run_quietly(str(ENVIRONMENTS / environment / "bin/python"), "-c", code)


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────────

PACKAGES = {"litellm": "litellm[proxy]", "tensorzero": "tensorzero"}
"""What `--install` puts into each environment."""

INSTALL = "python benchmarks/run.py --install"

CHAT = "/v1/chat/completions"

GATES = (
    Gate(
        name="nginx",
        note="one process, `proxy_pass` with keep-alive to the engine, no log: it looks at nothing, and is the limit of a proxy",
        model="bench",
        path=CHAT,
        ready="/v1/models",
        set_up=set_up_nginx,
        version=nginx_version,
        missing="install nginx",
    ),
    Gate(
        name="headgate",
        note="`headgate up` with the starter page's five routes, its checks, prices, daily limit, ledger and metrics, all on",
        model="auto",
        path=CHAT,
        ready="/healthz",
        set_up=set_up_headgate,
        version=headgate_version,
        missing="pip install -e .",
    ),
    Gate(
        name="tensorzero",
        note="the gateway inside the PyPI package (Rust), started by a small Python process, no ClickHouse, observability off",
        model="tensorzero::model_name::bench",
        path="/openai/v1/chat/completions",
        ready="/openai/v1/models",
        set_up=set_up_tensorzero,
        version=version_in("tensorzero", "tensorzero"),
        missing=INSTALL,
        chooses_port=True,
    ),
    Gate(
        name="litellm",
        note="LiteLLM proxy, one worker (uvicorn), one model, no database, no key, no callbacks, telemetry off",
        model="bench",
        path=CHAT,
        ready="/health/liveliness",
        set_up=set_up_litellm,
        version=version_in("litellm", "litellm"),
        missing=INSTALL,
    ),
)


def install(name: str) -> None:
    """Make the environment of one gate, from the package index."""
    folder = ENVIRONMENTS / name
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--upgrade", PACKAGES[name]], check=True)
