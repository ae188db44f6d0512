"""`headgate demo`, as somebody types it who has just installed Headgate."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.util import find_spec

import pytest

from headgate.config.load import parse_config
from headgate.core.checks import CHECKS, judge, score
from headgate.core.errors import UsageError
from headgate.core.signals import measure
from headgate.core.types import Answer, Reply, Usage
from headgate.demo.folder import make_folder
from headgate.demo.stand_in import LABEL, stand_in
from headgate.demo.week import SHARES, shares, week
from headgate.engines.transport import Clocks, HttpTransport
from headgate.gateway.asking import apply_headers
from headgate.wire.doors import openai_chat as door

needs_wheel = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the embedded engine is an extra")
REQUESTS = 60


def headgate(home, *words, **more):
    return subprocess.run(
        [sys.executable, "-m", "headgate", *words],
        env=environment(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(home, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HEADGATE_"))}
    return kept | {"HOME": str(home)} | more


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def demo(home):
    done = headgate(home, "demo", "--requests", str(REQUESTS), "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


# ── The whole of it ──────────────────────────────────────────────────────────────────────────────────────────────────


@needs_wheel
def test_an_empty_home_is_enough_and_every_request_is_in_the_ledger_once(demo, home):
    assert demo["ledger"].startswith(str(home))
    with sqlite3.connect(demo["ledger"]) as db:
        assert db.execute("select count(*) from requests").fetchone() == (REQUESTS,)
    report = demo["report"]
    assert report["requests"] == demo["requests"] == REQUESTS
    assert (report["unanswered"], report["lost"]) == (0, 0)
    assert report["statuses"] == {"ok": REQUESTS}


@needs_wheel
def test_models_at_home_and_the_stand_in_both_answer_and_only_the_stand_in_costs(demo):
    answered = {served["shown"]: served for served in demo["report"]["models"]}
    home = [served for served in answered.values() if served["local"]]
    paid = [served for served in answered.values() if not served["local"]]
    assert {served["shown"] for served in home} == {"headgate-nano (llama.cpp)", "headgate-micro (llama.cpp)"}
    assert [served["shown"] for served in paid] == ["claude-sonnet-5-5 (API) [stand-in]"]
    assert sum(served["requests"] for served in home) > REQUESTS // 3
    assert paid[0]["requests"] > REQUESTS // 10
    assert paid[0]["cost"] > 0 == sum(served["cost"] for served in home)


@needs_wheel
def test_requests_reach_the_stand_in_for_more_than_one_reason(demo):
    reasons = {reason["reason"] for reason in demo["report"]["fallbacks"]["reasons"]}
    assert reasons == {"quality check failed", "token count"}


@needs_wheel
def test_the_demos_figures_are_those_of_the_report_command(demo, home):
    done = headgate(home, "report", "--json", "--config", demo["config"])
    assert done.returncode in (0, 5), done.stderr
    assert json.loads(done.stdout) == demo["report"]


@needs_wheel
@pytest.mark.parametrize(
    "words", [("report",), ("report", "--format", "md"), ("log", "-n", str(REQUESTS)), ("models", "list")]
)
def test_wherever_the_stand_in_is_named_it_is_called_so(demo, home, words):
    done = headgate(home, *words, "--config", demo["config"])
    # "claude", in quotes, is a line of headgate.toml, which knows models by their names alone
    naming = [line for line in done.stdout.splitlines() if "claude" in line.replace('"claude"', "")]
    assert naming
    assert all(LABEL in line for line in naming), naming


@needs_wheel
def test_the_next_commands_work_as_printed(demo, home):
    log, show, init = demo["next"]
    for line in (log, show):
        program, *words = line.split()
        assert program == "headgate"
        done = headgate(home, *words)
        assert done.returncode == 0, done.stderr
    assert "claude [stand-in]" in done.stdout
    assert "rejected" in done.stdout
    assert init == "headgate init"


@needs_wheel
def test_for_people_the_talk_is_on_stderr_and_the_report_alone_on_stdout(home, tmp_path):
    done = headgate(home, "demo", "--requests", "40", "--keep", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("WEEKLY ROUTING SUMMARY")
    assert "claude-sonnet-5-5 (API) [stand-in]" in done.stdout
    assert "40/40" in done.stderr
    assert "the stand-in's answers are made up" in done.stderr
    naming = [line for line in done.stderr.splitlines() if "claude" in line and "priced as" not in line]
    assert naming
    assert all("claude [stand-in]" in line for line in naming), naming
    assert (tmp_path / "kept" / "headgate.toml").exists()
    again = headgate(home, "demo", "--requests", "10", "--json", "--keep", str(tmp_path / "kept"))
    assert json.loads(again.stdout)["report"]["requests"] == 10


def test_without_the_embedded_engine_it_says_what_to_install_and_leaves_4(home, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['xllamacpp'] = None\n")
    done = headgate(home, "demo", "--keep", str(tmp_path / "kept"), PYTHONPATH=str(tmp_path))
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.endswith(
        'error: the embedded engine is not installed\n\nhint: pip install "headgate[embedded]"\n'
    )
    assert not (tmp_path / "kept").exists()


@needs_wheel
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_ends_it_cleanly_with_the_ledger_whole(home, tmp_path):
    order = [sys.executable, "-m", "headgate", "demo", "--requests", "50000", "--keep", str(tmp_path)]
    with subprocess.Popen(
        order, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr:
            if line.startswith("the gate is open"):
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out == ""
    assert err.rstrip().endswith("error: stopped")
    assert "Traceback" not in err
    assert not (tmp_path / "ledger.db-wal").exists()


# ── Its parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path):
    own = tmp_path / "headgate.toml"
    own.write_text("[server]\n")
    with pytest.raises(UsageError, match="not from a demo"):
        make_folder(tmp_path)
    assert own.read_text() == "[server]\n"
    own.unlink()
    (tmp_path / "ledger.db").write_bytes(b"a year of work")
    with pytest.raises(UsageError, match="not from a demo"):
        make_folder(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == b"a year of work"


def test_the_demos_config_is_a_good_one_and_the_stand_in_is_never_local_though_it_listens_here(tmp_path):
    config = config_in(tmp_path)
    claude = config.policy.models["claude"]
    assert (claude.label, claude.local) == (LABEL, False)
    assert claude.price is not None
    assert claude.price.source.startswith("genai-prices")
    assert all(model.confidence < 0 for model in config.policy.models.values() if model.local)
    assert config.engines["anthropic"].key == (tmp_path / "stand-in.key").read_text()


def config_in(folder):
    place = make_folder(folder)
    place.write_config(listen="127.0.0.1:0", stand_in="http://127.0.0.1:9")
    return parse_config(place.config.read_text(), place.config)


@pytest.mark.parametrize("requests", [1, 7, 60, 420, 1000])
def test_a_week_has_as_many_requests_as_asked_for_and_is_the_same_each_time(requests):
    assert sum(shares(requests).values()) == requests
    asks = week(requests)
    assert len(asks) == requests
    assert asks == week(requests)


def test_a_whole_week_has_work_of_every_kind_and_hardly_two_requests_alike():
    asks = week(420)
    assert Counter(ask.kind for ask in asks).keys() == SHARES.keys()
    assert len({ask.messages for ask in asks}) > 320
    assert sum(ask.stream for ask in asks) == 42
    assert sum(ask.schema is not None for ask in asks) > 20
    assert sum(ask.task is not None for ask in asks) > 40
    assert sum(len(ask.messages) > 2 for ask in asks) > 2


def test_no_two_requests_with_the_same_last_message_want_different_answers():
    wanted = {}
    for ask in week(2000):
        assert wanted.setdefault(ask.messages[-1][1], ask.answer) == ask.answer


def test_every_answer_of_the_stand_in_passes_the_checks_of_its_route(tmp_path):
    config = config_in(tmp_path)
    routes = {route.name: route for route in config.policy.routes}
    claude = config.policy.models["claude"]
    for number, ask in enumerate(week(420)):
        request = request_of(ask, number)
        signals = measure(request, config.policy)
        name = "long" if ask.kind in ("brief", "long notes") else "everything else"
        checks = tuple((check, CHECKS[check]) for check in routes[name].checks[signals.task or ""])
        reply = Reply(text=ask.answer, usage=Usage(output=50))
        verdicts = judge(checks, Answer(request, signals, reply, claude))
        assert (score(verdicts) or 0) >= 0.6, (ask.messages[-1][1][:200], verdicts)


def request_of(ask, number):
    request = door.decode_request(json.dumps(ask.body).encode(), f"r{number}")
    headers = {b"x-headgate-task": ask.task.encode()} if ask.task else {}
    return apply_headers(request, headers)


def test_long_work_is_over_the_limit_of_the_long_route_and_short_work_is_not(tmp_path):
    config = config_in(tmp_path)
    page = tomllib.loads((tmp_path / "headgate.toml").read_text())
    limit = next(route["tokens_over"] for route in page["routes"] if route["name"] == "long")
    for number, ask in enumerate(week(420)):
        tokens = measure(request_of(ask, number), config.policy).tokens
        assert (tokens > limit) == (ask.kind in ("brief", "long notes")), (ask.kind, tokens)


async def test_the_stand_in_takes_only_the_demos_key_and_answers_what_the_week_says():
    ask = next(ask for ask in week(60) if ask.kind == "order")
    async with stand_in([ask], "right") as double:
        transport = HttpTransport(double.url, headers=[("anthropic-version", "2023-06-01")])
        refused = await say(transport, "wrong", ask.messages[-1][1])
        told = await say(transport, "right", ask.messages[-1][1])
        unheard = await say(transport, "right", "Who are you?")
        await transport.close()
    assert refused.status == 401
    assert json.loads(told.body)["content"][0]["text"] == ask.answer
    assert LABEL in json.loads(unheard.body)["content"][0]["text"]


async def say(transport, key, text):
    body = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    headers = [("x-api-key", key), ("content-type", "application/json")]
    clocks = Clocks(connect=5, first_byte=5, between_bytes=5, total=10)
    return await transport.request(
        "POST", "/v1/messages", headers=headers, body=json.dumps(body).encode(), clocks=clocks
    )
