"""`headgate keys` and `headgate budgets`, and a gate that opens with them: as a person runs it, in processes of their own."""

import json
import os
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from headgate.testing import Answer

BUDGET = '\n[[budgets]]\nname = "all"\nper = "month"\ndollars = {dollars}\n'


def post(url: str, key: str = "", **more):
    """A chat request; the status, the headers and the body."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "How are you?"}]} | more
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    asked = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.fixture
def gate(world):
    """Opens gates; those that are still open at the end are closed."""
    opened = []

    def start(*args: str):
        child = world.shell.start("up", "--json", *args)
        line = child.stdout.readline()
        assert line, child.stderr.read()
        opened.append(child)
        return child, json.loads(line)["url"]

    yield start
    for child in opened:
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=20)


def test_a_key_is_shown_once_listed_without_itself_and_revoked(world):
    shell = world.shell
    made = shell("keys", "create", "web", "--team", "it")
    key = made.out.strip()
    assert (made.code, key[:3], len(key)) == (0, "hg-", 46)
    assert "shown this once" in made.err
    admin = shell("keys", "create", "boss", "--admin", "--json").json
    assert (admin["name"], admin["admin"]) == ("boss", True)
    listed = shell("keys", "list")
    assert key not in listed.out
    assert f"{key[:7]}…" in listed.out
    assert [
        (one["name"], one["team"], one["admin"]) for one in shell("keys", "list", "--json").json["keys"]
    ] == [
        ("web", "it", False),
        ("boss", "", True),
    ]
    assert shell("keys", "revoke", "web").code == 0
    assert shell("keys", "list", "--json").json["keys"][0]["revoked"] > 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("create", "web"), ['"web" is there already', "headgate keys list"]),
        (("create", "old"), ["was revoked", "another name"]),
        (("create", " x"), ["cannot name a key"]),
        (("create", ""), ["cannot name a key"]),
        (("create", "x" * 101), ["cannot name a key"]),
        (("create", "new", "--team", "a\nb"), ["cannot name a team"]),
        (("revoke", "nobody"), ['no key "nobody"', "headgate keys list"]),
    ],
)
def test_what_cannot_be_a_key_is_refused(world, args, words):
    shell = world.shell
    shell("keys", "create", "web")
    shell("keys", "create", "old")
    shell("keys", "revoke", "old")
    said = shell("keys", *args)
    assert said.code == 2
    assert all(word in said.err for word in words), said.err
    assert len(shell("keys", "list", "--json").json["keys"]) == 2


def test_a_gate_that_others_reach_does_not_open_without_a_key(world, gate):
    shell = world.shell
    refused = shell("up", "--listen", "0.0.0.0:0")
    assert refused.code == 2
    assert "can be reached from other machines" in refused.err
    assert "headgate keys create" in refused.err
    key = shell("keys", "create", "web", "--admin").out.strip()
    shell("keys", "create", "gone")
    shell("keys", "revoke", "gone")
    _, url = gate("--listen", "0.0.0.0:0")
    url = url.replace("0.0.0.0", "127.0.0.1")
    assert post(url)[0] == 401
    assert post(url, key)[0] == 200
    assert "busy" in shell().out, "commands of this user need no key of their own"
    (run,) = shell.home.rglob("run.json")
    assert run.stat().st_mode & 0o077 == 0


def test_doctor_fails_a_gate_that_others_reach_and_nobody_has_a_key_for(world):
    shell = world.shell
    page = (shell.home / "headgate.toml").read_text()
    shell.write(page.replace('"127.0.0.1:0"', '"0.0.0.0:0"'))

    def port() -> str:
        return next(line for line in shell("doctor").out.splitlines() if line[4:11] == "  port:")

    assert port().startswith("FAIL")
    assert "there is no key" in port()
    shell("keys", "create", "web")
    assert port().startswith("ok")


def test_keys_that_are_optional_by_the_users_own_word_are_warned_of(world, gate):
    page = (world.shell.home / "headgate.toml").read_text()
    world.shell.write(page.replace('listen = "127.0.0.1:0"', 'listen = "0.0.0.0:0"\nkeys = "optional"'))
    child, url = gate()
    assert post(url.replace("0.0.0.0", "127.0.0.1"))[0] == 200
    (port,) = [line for line in world.shell("doctor").out.splitlines() if line[4:11] == "  port:"]
    assert port.startswith("warn")
    child.terminate()
    assert "keys are optional" in child.communicate(timeout=20)[1]


def test_a_killed_gate_overruns_nothing_when_it_opens_again(world, gate):
    shell = world.shell
    world.claude.answer = Answer("A fine answer.", output_tokens=300)
    page = (shell.home / "headgate.toml").read_text()
    shell.write(page + BUDGET.format(dollars=0.02))
    child, url = gate()
    with ThreadPoolExecutor(10) as pool:
        said = list(pool.map(lambda _: post(url, model="claude"), range(4)))
    costs = [float(headers["x-headgate-cost"]) for _, headers, _ in said]
    assert min(costs) > 0.002
    wait_for_rows(shell, 4)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=20)
    closed = shell("budgets", "--json").json["budgets"]
    assert closed[0]["spent"] == pytest.approx(sum(costs), abs=1e-5)
    _, url = gate()
    opened = shell("budgets", "--json").json["budgets"]
    assert opened[0]["spent"] == pytest.approx(closed[0]["spent"])
    with ThreadPoolExecutor(10) as pool:
        more = list(pool.map(lambda _: post(url, model="claude"), range(10)))
    paid = [float(headers["x-headgate-cost"]) for status, headers, _ in more if status == 200]
    assert 0.02 - 2 * max(costs) < sum(costs) + sum(paid) <= 0.0201
    status, headers, body = post(url, model="claude")
    assert (status, headers["x-should-retry"]) == (429, "false")
    assert "all's month has" in json.loads(body)["error"]["message"]
    status, headers, _ = post(url)
    assert (status, headers["x-headgate-model"]) == (200, "llama")
    table = shell("budgets").out
    ends = datetime.fromtimestamp(opened[0]["ends"]).astimezone().strftime("%Y-%m-%d %H:%M")
    assert all(word in table for word in ("all", "everybody", "month", "$0.02", ends, "models at home only"))
    assert "budget   all (everybody)" in shell().out


def wait_for_rows(shell, count: int) -> None:
    """Wait until the ledger has so many requests."""
    for _ in range(100):
        said = shell("log", "--json", "-n", "100")
        if len(said.out.splitlines()) >= count:
            return
    raise AssertionError(said)


def test_what_a_left_call_was_expected_to_cost_is_still_spent_after_a_restart(world, gate):
    """A caller who hangs up leaves a call whose cost nobody knows."""
    shell = world.shell
    world.claude.answer = Answer("A fine answer.", delay=20)
    shell.write((shell.home / "headgate.toml").read_text() + BUDGET.format(dollars=1))
    child, url = gate()
    asked = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps({"model": "claude", "messages": [{"role": "user", "content": "How are you?"}]}).encode(),
        {"content-type": "application/json"},
    )
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(asked, timeout=0.5)
    wait_for_rows(shell, 1)
    (before,) = shell("budgets", "--json").json["budgets"]
    assert before["spent"] > 0.001
    child.terminate()
    child.communicate(timeout=20)
    (after,) = shell("budgets", "--json").json["budgets"]
    assert after["spent"] == pytest.approx(before["spent"], abs=1e-9)


def test_the_log_is_filtered_by_key_and_team(world, gate):
    shell = world.shell
    web = shell("keys", "create", "web", "--team", "it").out.strip()
    shop = shell("keys", "create", "shop").out.strip()
    _, url = gate()
    for key in (web, shop, ""):
        assert post(url, key)[0] == 200
    wait_for_rows(shell, 3)
    assert len(shell("log", "--json", "--key", "web").out.splitlines()) == 1
    assert len(shell("log", "--json", "--team", "it").out.splitlines()) == 1
    assert len(shell("log", "--json").out.splitlines()) == 3


def test_without_budgets_the_command_says_what_would_set_one(world):
    said = world.shell("budgets")
    assert (said.code, said.out.strip()) == (0, "no budgets")
    assert "docs/budgets.md" in said.err


def test_a_dry_run_knows_what_is_left(world):
    shell = world.shell
    shell.write((shell.home / "headgate.toml").read_text() + BUDGET.format(dollars=0))
    said = shell("route", "--json", "How are you?").json
    (claude,) = [one for one in said["candidates"] if one["model"] == "claude"]
    assert claude["skip"] == "budget"
    assert "all's month has $0.00 left" in claude["detail"]
