"""A forked command is what a process that is started for it would be: all tests of commands rest on that."""

import json
import signal
from pathlib import Path

import pytest

from prepared_python import python

TELLS = """
import json, os, random, signal, sys, threading

print(json.dumps({
    "ours": [name for name in sys.modules if name.partition(".")[0] == "headgate"],
    "threads": threading.active_count(),
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "words": sys.argv[1:],
    "read": sys.stdin.read(),
    "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "chance": random.random(),
    "named": __name__,
}))
"""


def tell(folder, *words, **given):
    script = folder / "tells.py"
    script.write_text(TELLS)
    done = python(script, *words, cwd=folder, **given)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list a process's files")
def test_a_command_has_what_it_was_given_and_nothing_of_the_one_before(tmp_path):
    first = tell(tmp_path, "a word", stdin="Grüße", env={"ONLY": "this"})
    chance = first.pop("chance")
    assert first == {
        "ours": [],
        "threads": 1,
        "environment": {"ONLY": "this"},
        "folder": str(tmp_path),
        "words": ["a word"],
        "read": "Grüße",
        "files": [0, 1, 2],
        "interrupt": True,
        "named": "__main__",
    }
    second = tell(tmp_path, env={})
    assert (second["environment"], second["read"], second["words"]) == ({}, "", [])
    assert second["chance"] != chance


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("raise SystemExit(7)", 7),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_a_command_ends_as_a_process_does(tmp_path, ends, code):
    (tmp_path / "ends.py").write_text(f"import atexit; atexit.register(print, 'the end')\n{ends}\n")
    done = python(tmp_path / "ends.py")
    assert done.returncode == code
    assert done.stdout == ("" if code < 0 else "the end\n")


def test_a_command_that_does_not_end_is_ended(tmp_path):
    (tmp_path / "hangs.py").write_text("import os, signal; print(os.getpid(), flush=True); signal.pause()\n")
    with pytest.raises(TimeoutError):
        python(tmp_path / "hangs.py", timeout=0.2)
