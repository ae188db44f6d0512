"""Doubles of the programs that Headgate starts and asks: labelled scripts in a folder that is the whole PATH.

Each writes every call into `calls`, so that a test can see what was run, and every process that it leaves behind into `pids`. What a
double should do wrong stands in `faults.json`. Nothing outside the folder is touched.
"""

import json
import os
import random
import re
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAD = '''#!{python}
"""A double of {name}, for Headgate's tests."""
import json, os, shlex, signal, subprocess, sys, time
from pathlib import Path
HERE = Path({folder!r})
sys.argv[0] = {name!r}
with (HERE / "calls").open("a") as calls:
    calls.write(shlex.join(sys.argv) + "\\n")
def load(name):
    try:
        return json.loads((HERE / name).read_text())
    except FileNotFoundError:
        return {{}}
def save(name, value):
    (HERE / name).write_text(json.dumps(value))
def fault(name):
    return load("faults.json").get(name)
def spawn(order, env):
    child = subprocess.Popen(order, env=env, start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with (HERE / "pids").open("a") as pids:
        pids.write(f"{{child.pid}}\\n")
    return child.pid
def end(pid):
    try:
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            time.sleep(0.02)
    except (ProcessLookupError, FileNotFoundError):
        pass
args = sys.argv[1:]
'''

SERVE = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = pages.get(self.path)
        data = json.dumps(body if body is not None else {"error": "Unexpected endpoint"}).encode()
        self.send_response(200 if body is not None or lenient else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args):
        pass
def serve(host, port):
    with (HERE / "pids").open("a") as pids:
        pids.write(f"{os.getpid()}\\n")
    ThreadingHTTPServer((host, port), Answer).serve_forever()
"""

OLLAMA = (
    SERVE
    + """
lenient = False
pages = {"/api/version": {"version": "0.33.0"}, "/": "Ollama is running"}
if args == ["--version"]:
    print("Warning: could not connect to a running Ollama instance")
    print("Warning: client version is 0.33.0")
elif args == ["serve"]:
    if fault("ollama dies"):
        print("time=now level=INFO msg=\\"starting\\"")
        sys.exit(fault("ollama dies"))
    if fault("ollama is silent"):
        signal.pause()
    host, _, port = os.environ.get("OLLAMA_HOST", "127.0.0.1:11434").rpartition(":")
    serve(host, int(port))
"""
)

SYSTEMCTL = """
args = [one for one in args if one != "--no-ask-password"]
if (state := load("systemd.json")).get("user", False) != ("--user" in args):
    state = {}
args = [one for one in args if one != "--user"]
verb = args[0]
def drop_ins():
    folder = Path(state["fragment"] + ".d")
    return sorted(folder.glob("*.conf")) if folder.exists() else []
def variables():
    found = dict(state.get("own", {}))
    for file in drop_ins():
        for line in file.read_text().splitlines():
            if line.startswith("Environment="):
                found.update([shlex.split(line.removeprefix("Environment="))[0].replace("%%", "%").split("=", 1)])
    return found
if not state:
    print("LoadState=not-found" if verb == "show" else "")
elif verb == "show":
    print("LoadState=loaded", f"ActiveState={'active' if state.get('pid') else 'inactive'}", sep="\\n")
    print(f"FragmentPath={state['fragment']}", f"MainPID={state.get('pid') or 0}", sep="\\n")
    print("Environment=" + " ".join(f"{n}={v}" for n, v in state.get("loaded", state.get("own", {})).items()))
    print("EnvironmentFiles=", "DropInPaths=" + " ".join(map(str, drop_ins())), sep="\\n")
elif fault("systemd denies"):
    sys.exit("Failed to reload daemon: Interactive authentication required.")
elif verb == "daemon-reload":
    if fault("systemd hangs"):
        with (HERE / "pids").open("a") as pids:
            pids.write(f"{os.getpid()}\\n")
        (HERE / "hanging").touch()
        signal.pause()
    save("systemd.json", {**state, "loaded": variables()})
else:
    if fault("systemd cannot " + verb):
        sys.exit(f"Job for {args[1]} failed because the control process exited with error code.")
    if state.get("pid"):
        end(state["pid"])
    state["pid"] = None
    if verb in ("start", "restart"):
        env = {"PATH": str(HERE), **state.get("loaded", state.get("own", {}))}
        state["pid"] = spawn([str(HERE / "ollama"), "serve"], env)
    save("systemd.json", state)
"""

LMS = (
    SERVE
    + """
lenient = True
pages = {"/api/v0/models": {"object": "list", "data": []}, "/lmstudio-greeting": {"lmstudio": True}}
state = load("lms.json")
if args == ["version"]:
    print("lms - LM Studio CLI - v0.3.41")
elif args == ["server", "status", "--json"]:
    print(json.dumps({"running": bool(state.get("pid")), "port": state.get("port")}))
elif args[:3] == ["server", "start", "--port"]:
    save("lms.json", {**state, "port": int(args[3]), "pid": spawn([str(HERE / "lms"), "serve", args[3]], os.environ)})
elif args == ["server", "stop"]:
    if state.get("pid"):
        end(state["pid"])
    save("lms.json", {**state, "pid": None})
elif args == ["daemon", "status", "--json"]:
    print(json.dumps({"status": "running" if state.get("daemon") else "not-running"}))
elif args in (["daemon", "up"], ["daemon", "down"]):
    save("lms.json", {**state, "daemon": args[1] == "up"})
elif args[0] == "serve":
    serve("127.0.0.1", int(args[1]))
"""
)

LAUNCHCTL = """
state = load("launchd.json")
if args[0] == "getenv":
    print(state.get(args[1], ""))
elif args[0] == "setenv":
    save("launchd.json", {**state, args[1]: args[2]})
elif args[0] == "unsetenv":
    save("launchd.json", {name: value for name, value in state.items() if name != args[1]})
"""

REGISTRY = r"""
state = load("registry.json")
if args[0] == "query":
    if args[3] not in state:
        sys.exit("ERROR: The system was unable to find the specified registry key or value.")
    print(f"\nHKEY_CURRENT_USER\\Environment\n    {args[3]}    REG_SZ    {state[args[3]]}\n")
elif args[0] == "delete":
    save("registry.json", {name: value for name, value in state.items() if name != args[3]})
"""

SETX = """
save("registry.json", {**load("registry.json"), args[0]: args[1]})
"""

SCRIPTS = {
    "ollama": OLLAMA,
    "systemctl": SYSTEMCTL,
    "lms": LMS,
    "launchctl": LAUNCHCTL,
    "reg": REGISTRY,
    "setx": SETX,
}


@dataclass
class Programs:
    """A folder of doubles."""

    folder: Path

    def add(self, name: str, script: str | None = None) -> Path:
        """Put a double there; without a script of its own one that is known, or one that does nothing."""
        path = self.folder / name
        body = SCRIPTS.get(name, "") if script is None else script
        path.write_text(HEAD.format(python=sys.executable, name=name, folder=str(self.folder)) + body)
        path.chmod(0o755)
        return path

    def fail(self, **faults: Any) -> None:
        """What doubles do wrong from now on; nothing else."""
        (self.folder / "faults.json").write_text(
            json.dumps({name.replace("_", " "): value for name, value in faults.items()})
        )

    def state(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text())

    def set(self, name: str, **state: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(state))

    def calls(self, *names: str) -> list[str]:
        """What was run, questions left out."""
        asked = (" show ", " --version", " version", " status", " getenv ", " query ", " ps ", " inspect ")
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            line
            for line in lines
            if line.split()[0] in names and not any(word in f"{line} " for word in asked)
        ]

    def end(self) -> None:
        """End every process that was left behind."""
        path = self.folder / "pids"
        for line in path.read_text().splitlines() if path.exists() else ():
            with suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)


def free_port() -> int:
    """A port that is free, and stays so until it is used: who asks Linux for any port gets one from 32768 on."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def same_screen(name: str, text: str, folders: tuple[Path, ...], ports: tuple[int, ...]) -> None:
    """Compare a screen with the one that is kept. HEADGATE_WRITE_SCREENS=1 keeps the new one instead."""
    for folder, shown in zip(folders, ("/home", "/bin", "/etc/systemd/system"), strict=True):
        text = text.replace(str(folder), shown)
    for port, shown in zip(ports, ("11434", "51234"), strict=True):
        text = text.replace(str(port), shown)
    text = re.sub(r"process \d+", "process PID", text)
    text = re.sub("─+", "────", text)  # as long as the table is wide
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    kept = Path(__file__).parent / "data/screens" / f"{name}.txt"
    if os.environ.get("HEADGATE_WRITE_SCREENS"):
        kept.write_text(text)
    assert text == kept.read_text()
