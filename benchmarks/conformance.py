"""Who survives what engines do? The three columns of docs/conformance.md, from one command.

    python benchmarks/conformance.py              Headgate, and the others that are installed; some ten minutes
    python benchmarks/conformance.py --install    first put LiteLLM and Portkey into environments of their own (npm is needed)
    python benchmarks/conformance.py --only headgate,portkey
    python benchmarks/conformance.py --write      … and put the table into docs/conformance.md

Every gateway runs in a process of its own, in front of the same upstream, with the fallback that its documentation describes.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from beside import gates, process
from beside.rounds import free_port
from headgate.cli.conformance import PAGE as HEADGATE
from headgate.testing.conformance import CASES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs/conformance.md"
BEGIN, END = "<!-- measured: written by benchmarks/conformance.py -->", "<!-- end of measured -->"

LITELLM = """\
model_list:
  - model_name: first
    litellm_params:
      model: openai/faulty
      api_base: {upstream}/v1
      api_key: none
      timeout: 2
      stream_timeout: 2
  - model_name: second
    litellm_params:
      model: openai/good
      api_base: {upstream}/v1
      api_key: none
router_settings:
  num_retries: 1
  fallbacks: [{{"first": ["second"]}}]
  context_window_fallbacks: [{{"first": ["second"]}}]
general_settings:
  dangerously_permit_weak_or_unset_master_key: true
"""

PORTKEY_PACKAGES = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    "overrides": {"@hono/node-server": "1.13.8"},
}
"""The override is for Portkey's issue 1389: under newer versions every stream is an error 500."""

Finding = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway to be put in front of the upstream."""

    name: str
    model: str
    """What to ask it for."""
    ready: str
    """A path that it answers once it serves."""
    set_up: Callable[[Path, int, str], list[str]]
    """(empty folder, port, the upstream's address) → the command; writes its config into the folder."""
    version: Callable[[], str | None]
    how: str
    """For the method: one sentence."""
    headers: Callable[[str], dict[str, str]] = field(default=lambda _: {})
    """What each request carries, given the upstream's address."""


def set_up_headgate(folder: Path, port: int, upstream: str) -> list[str]:
    page = folder / "headgate.toml"
    (folder / "key").write_text("none is needed")
    page.write_text(HEADGATE.format(listen=f"127.0.0.1:{port}", upstream=upstream, folder=folder))
    return [sys.executable, "-m", "headgate", "up", "--config", str(page)]


def set_up_litellm(folder: Path, port: int, upstream: str) -> list[str]:
    page = folder / "litellm.yaml"
    page.write_text(LITELLM.format(upstream=upstream))
    where = ["--host", "127.0.0.1", "--port", str(port)]
    program = str(gates.ENVIRONMENTS / "litellm/bin/litellm")
    return [program, "--config", str(page), *where, "--num_workers", "1", "--telemetry", "False"]


def set_up_portkey(_folder: Path, port: int, _upstream: str) -> list[str]:
    program = gates.ENVIRONMENTS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    return ["node", str(program), f"--port={port}", "--headless"]


def portkey_headers(upstream: str) -> dict[str, str]:
    def target(model: str) -> dict[str, object]:
        where = {"provider": "openai", "api_key": "none", "custom_host": f"{upstream}/v1"}
        return where | {"override_params": {"model": model}}

    targets = [target("faulty") | {"request_timeout": 2000}, target("good")]
    config = {"strategy": {"mode": "fallback"}, "targets": targets}
    return {"x-portkey-config": json.dumps(config, separators=(",", ":"))}


def portkey_version() -> str | None:
    page = gates.ENVIRONMENTS / "portkey/node_modules/@portkey-ai/gateway/package.json"
    return json.loads(page.read_text())["version"] if page.exists() else None


def install_portkey() -> None:
    folder = gates.ENVIRONMENTS / "portkey"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps(PORTKEY_PACKAGES))
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, check=True)


GATEWAYS = (
    Gateway(
        name="headgate",
        model="auto",
        ready="/healthz",
        set_up=set_up_headgate,
        version=gates.headgate_version,
        how="`headgate up` with the page that `headgate conformance` opens a gate with: two engines of the kind `openai`, one route, "
        "`first_token` and `between_tokens` 2 s, `answer_within` 10 s, all else as it comes",
    ),
    Gateway(
        name="litellm",
        model="first",
        ready="/health/liveliness",
        set_up=set_up_litellm,
        version=gates.version_in("litellm", "litellm"),
        how="LiteLLM proxy, one worker, `fallbacks` and `context_window_fallbacks` from the first model group to the second, "
        "`num_retries: 1`, `timeout` and `stream_timeout` 2 s on the faulty model",
    ),
    Gateway(
        name="portkey",
        model="any",
        ready="/",
        set_up=set_up_portkey,
        version=portkey_version,
        headers=portkey_headers,
        how="Portkey's gateway, a config in the header `x-portkey-config` with `strategy: fallback` (on every status that is no "
        "success, its default) and two targets of the provider `openai` with `custom_host`, `request_timeout` 2 s on the faulty "
        "one; @hono/node-server pinned to 1.13.8, because [newer ones break its streams](https://github.com/Portkey-AI/gateway/issues/1389)",
    ),
)


def main() -> None:
    given = options()
    known = [gateway.name for gateway in GATEWAYS]
    chosen = given.only.split(",") if given.only else known
    if unknown := set(chosen) - set(known):
        sys.exit(f"error: there is no gateway {', '.join(unknown)}\nhint: there is {', '.join(known)}")
    if given.write and chosen != known:
        sys.exit("error: the page has a column for every gateway\nhint: leave out --only or --write")
    if given.install:
        gates.install("litellm")
        install_portkey()
    found: dict[str, list[Finding]] = {}
    for gateway in GATEWAYS:
        if gateway.name not in chosen:
            continue
        if gateway.version() is None:
            sys.exit(
                f"error: {gateway.name} is not installed\nhint: python benchmarks/conformance.py --install"
            )
        found[gateway.name] = test(gateway)
    text = render(found)
    print(text)
    if given.write:
        page = DOCS.read_text(encoding="utf-8")
        between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
        DOCS.write_text(between.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page), encoding="utf-8")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="GATEWAYS", default="", help="names with commas")
    parser.add_argument("--install", action="store_true", help="install what is compared, about 1 GB")
    parser.add_argument("--write", action="store_true", help="write docs/conformance.md")
    return parser.parse_args()


def test(gateway: Gateway) -> list[Finding]:
    """Start the upstream and the gateway, send the cases, stop both."""
    print(f"{gateway.name} {gateway.version()} …", file=sys.stderr, flush=True)
    ours = [sys.executable, "-m", "headgate", "conformance"]
    with tempfile.TemporaryDirectory(prefix=f"conformance-{gateway.name}-") as name:
        folder = Path(name)
        environment = os.environ | {"HEADGATE_DATA": name, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        there, port = free_port(), free_port()
        upstream = f"http://127.0.0.1:{there}"
        serve = [*ours, "--upstream", "--listen", f"127.0.0.1:{there}"]
        command = gateway.set_up(folder, port, upstream)
        (folder / "upstream.port").write_text(str(there))
        (folder / "port").write_text(str(port))
        with (
            process.Child(serve, folder / "upstream.log", environment) as engine,
            process.Child(command, folder / "log", environment) as child,
        ):
            engine.wait_until_serving(folder / "upstream.port", "/v1/models")
            child.wait_until_serving(folder / "port", gateway.ready)
            ask = [*ours, "--json", "--base-url", f"http://127.0.0.1:{port}", "--model", gateway.model]
            for header, value in gateway.headers(upstream).items():
                ask += ["--header", f"{header}: {value}"]
            done = subprocess.run(ask, capture_output=True, text=True, env=environment, check=False)
            if not done.stdout:
                sys.exit(f"{done.stderr}\n{child.said()}")
            return json.loads(done.stdout)["findings"]


# ── The page ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ORDER = ("survived", "loud", "hung", "unreached", "silent")
SHOWN = {"loud": "loudly", "silent": "**silently**", "unreached": "not reached"}


def render(found: Mapping[str, list[Finding]]) -> str:
    """The generated part of the page."""
    tested = [gateway for gateway in GATEWAYS if gateway.name in found]
    by_case = {
        gateway.name: {(one["case"], one["stream"]): one for one in found[gateway.name]} for gateway in tested
    }
    heads = [f"{gateway.name} {gateway.version()}" for gateway in tested]
    lines = [
        f"Run on {datetime.now(UTC).date().isoformat()}.",
        "",
        row("case", "asked", *heads),
        rule(2 + len(heads)),
    ]
    for case in CASES:
        findings = [by_case[gateway.name][case.name, case.stream] for gateway in tested]
        words = [SHOWN.get(str(one["verdict"]), str(one["verdict"])) for one in findings]
        lines.append(row(f"`{case.name}`", "stream" if case.stream else "whole", *words))
    lines += ["", row("", *heads), rule(1 + len(heads))]
    for verdict in ORDER:
        counts = [sum(one["verdict"] == verdict for one in found[gateway.name]) for gateway in tested]
        if any(counts):
            lines.append(row(SHOWN.get(verdict, verdict), *counts))
    lines += [
        "",
        "What the caller got where it was not told:",
        "",
        row("case", "asked", "by", "what was seen"),
        rule(4),
    ]
    for gateway in tested:
        for one in found[gateway.name]:
            if one["verdict"] == "silent":
                asked = "stream" if one["stream"] else "whole"
                lines.append(
                    row(f"`{one['case']}`", asked, gateway.name, str(one["detail"]).replace("|", "\\|"))
                )
    lines += ["", "How each was run:", ""]
    lines += [f"- **{gateway.name} {gateway.version()}**: {gateway.how}." for gateway in tested]
    return "\n".join(lines)


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def rule(columns: int) -> str:
    return f"|{'---|' * columns}"


if __name__ == "__main__":
    main()
