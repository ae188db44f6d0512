"""Keys of callers at every door: who is let in, who is refused, and who may look behind the counter."""

import asyncio
import json
import time
from functools import partial
from http.client import HTTPConnection
from types import MappingProxyType

import pytest

from headgate.gateway.keys import LOOK_EVERY, Holder
from headgate.ledger.keys import create_key, digest_of, list_keys, revoke_key
from headgate.testing import Answer

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "How are you?"}]}
DOORS = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "auto", "input": "How are you?"},
    "/v1/completions": {"model": "auto", "prompt": "How are you?"},
    "/v1/messages": CHAT | {"max_tokens": 50},
    "/v1/messages/count_tokens": CHAT,
    "/v1/embeddings": {"model": "auto", "input": "How are you?"},
    "/api/chat": CHAT | {"stream": False},
    "/api/generate": {"model": "auto", "prompt": "How are you?", "stream": False},
    "/api/embed": {"model": "auto", "input": "How are you?"},
    "/api/show": {"model": "llama"},
    "/v1/agents/sentiment/runs": {"input": "How are you?"},
}
LOOKS = (
    "/v1/models",
    "/v1/models/llama",
    "/api/tags",
    "/api/ps",
    "/openapi.json",
    "/v1/agents",
    "/v1/batches",
)


def required(text: str) -> str:
    return text.replace("[server]", '[server]\nkeys = "required"')


@pytest.fixture
def make(tmp_path):
    return partial(create_key, tmp_path / "ledger.db", now=0.0)


@pytest.fixture
def revoke(tmp_path):
    return partial(revoke_key, tmp_path / "ledger.db", now=1.0)


async def called(bench, method: str, path: str, host: str, **more: str) -> tuple[int, bytes]:
    """The gate called by a name of the caller's choice."""

    def send() -> tuple[int, bytes]:
        connection = HTTPConnection(bench.url.removeprefix("http://"), timeout=10)
        connection.request(method, path, headers={"host": host} | more)
        answer = connection.getresponse()
        return answer.status, answer.read()

    return await asyncio.to_thread(send)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def message_of(said) -> str:
    error = said.json["error"]
    return error if isinstance(error, str) else error["message"]


async def test_where_keys_are_required_no_door_opens_without_one(open_bench, make):
    key = make("web")
    async with open_bench(change=required) as bench:
        for path, body in DOORS.items():
            data = json.dumps(body).encode()
            for headers in ({}, bearer("sk-foreign"), bearer("hg-" + "x" * 43), {"x-api-key": "unused"}):
                said = await bench.send(
                    "POST", path, data, **{n.replace("-", "_"): v for n, v in headers.items()}
                )
                assert said.status == 401, (path, headers)
                assert "headgate keys create" in message_of(said)
                assert said.headers["x-should-retry"] == "false"
            assert (await bench.send("POST", path, data, **bearer(key))).status not in (401, 403), path
        for path in LOOKS:
            assert (await bench.send("GET", path)).status == 401, path
            assert (await bench.send("GET", path, **bearer(key))).status == 200, path
        assert not [call for call in bench.ollama.calls if "hg-" in str(call.headers)], "a key goes nowhere"


async def test_a_refusal_has_the_form_of_its_dialect(open_bench):
    async with open_bench(change=required) as bench:
        openai, anthropic, ollama = [
            await bench.send("POST", path, b"{}")
            for path in ("/v1/chat/completions", "/v1/messages", "/api/chat")
        ]
        assert openai.json["error"]["code"] == "missing_api_key"
        assert anthropic.json["error"]["type"] == "authentication_error"
        assert isinstance(ollama.json["error"], str)


async def test_where_keys_are_optional_foreign_ones_are_nobodys_and_wrong_ones_of_ours_are_refused(
    open_bench, make, revoke
):
    web = make("web")
    gone = make("gone")
    revoke("gone")
    async with open_bench() as bench:
        for headers in ({}, bearer("unused"), {"x-api-key": "sk-ant-123"}, {"authorization": "Basic dTpw"}):
            assert (await bench.ask(headers=headers)).status == 200
        assert (await bench.ask(headers=bearer(web))).status == 200
        assert [outcome.key for outcome in await bench.written(5)] == ["", "", "", "", "web"]
        assert (
            (await bench.ask(headers=bearer(gone)))
            .json["error"]["message"]
            .startswith("this key was revoked")
        )
        assert (await bench.ask(headers=bearer("hg-guessed"))).status == 401


async def test_x_api_key_wins_over_a_bearer(open_bench, make):
    web, shop = make("web"), make("shop", team="it")
    async with open_bench() as bench:
        await bench.ask(headers={"x-api-key": shop} | bearer(web))
        (outcome,) = await bench.written()
        assert (outcome.key, outcome.team) == ("shop", "it")


async def test_an_open_gate_notices_new_and_revoked_keys(open_bench, make, revoke):
    async with open_bench(change=required) as bench:
        key = make("late")
        assert (await bench.ask(headers=bearer(key))).status == 200, "an unknown key makes it look again"
        revoke("late")
        assert LOOK_EVERY <= 2, "so docs/keys.md says; a busy machine may need longer"
        async with asyncio.timeout(60):
            while (await bench.ask(headers=bearer(key))).status == 200:
                await asyncio.sleep(0.1)


async def test_guessing_keys_does_not_make_the_gate_read_its_ledger_each_time(open_bench, make, monkeypatch):
    from headgate.gateway import keys

    reads = []
    real = keys.stamp_of
    async with open_bench(change=required) as bench:
        monkeypatch.setattr(keys, "stamp_of", lambda path: reads.append(time.monotonic()) or real(path))
        began = time.monotonic()
        for number in range(200):
            assert (await bench.ask(headers=bearer(f"hg-{number}"))).status == 401
        assert len(reads) <= 2 + 2 * (time.monotonic() - began)


async def test_no_key_stands_in_the_ledger_the_metrics_or_an_error(open_bench, make, tmp_path, caplog):
    key = make("web")
    wrong = "hg-wrong-and-secret"
    async with open_bench(ledger_more="keep_bodies = true") as bench:
        await bench.ask(headers=bearer(key))
        said = await bench.ask(headers=bearer(wrong))
        metrics = await bench.send("GET", "/metrics")
        fleet = await bench.send("GET", "/admin/fleet")
        await bench.written()
        shown = said.body + metrics.body + fleet.body + caplog.text.encode()
    files = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    for secret in (key[3:], wrong):
        assert secret.encode() not in shown + files
    assert digest_of(key).encode() in files
    assert list_keys(tmp_path / "ledger.db")[0].hint == key[:7]


async def test_waiting_is_fair_between_keys_whatever_names_their_callers_give_themselves(open_bench, make):
    web, shop = make("web"), make("shop")
    slow = Answer("Fine, thank you. It was a quiet morning.", delay=0.05)
    async with open_bench(local=slow, queue_for="60s", ollama_more="parallel = 1") as bench:
        done: list[str] = []

        async def ask(key: str, name: str) -> None:
            await bench.ask(headers=bearer(key) | {"x-headgate-caller": name})
            done.append(key)

        many = [asyncio.create_task(ask(web, f"name {number}")) for number in range(10)]
        async with asyncio.timeout(5):
            while bench.gate.http.open < 10:
                await asyncio.sleep(0.005)
        await ask(shop, "one")
        assert done.count(web) <= 3
        await asyncio.gather(*many)


async def test_what_is_for_admins_takes_the_key_of_one(open_bench, make):
    admin, web = make("boss", admin=True), make("web")
    async with open_bench(change=required) as bench:
        for path in ("/admin/fleet", "/metrics"):
            statuses = [
                (await bench.send("GET", path, **headers)).status
                for headers in ({}, bearer(web), bearer(admin))
            ]
            assert statuses == [401, 403, 200]
        terse, whole = [
            (await bench.send("GET", "/healthz", **headers)).json for headers in ({}, bearer(admin))
        ]
        assert set(terse) == {"status", "version", "pid"}
        assert "ledger" in whole
        assert (await bench.send("GET", "/")).status == 200


async def test_without_keys_a_name_that_was_made_to_lead_here_shows_nothing(open_bench):
    async with open_bench() as bench:
        for path in ("/admin/fleet", "/metrics"):
            assert (await bench.send("GET", path)).status == 200
            assert (await called(bench, "GET", path, "evil.example:4141"))[0] == 403
        _, health = await called(bench, "GET", "/healthz", "evil.example")
        assert set(json.loads(health)) == {"status", "version", "pid"}


async def test_without_keys_a_page_of_somebody_elses_cannot_read_what_callers_left_here(open_bench, make):
    key = make("web")
    async with open_bench() as bench:
        for path in ("/v1/files", "/v1/batches", "/v1/messages/batches", "/v1/agents", "/v1/kb"):
            status, said = await called(bench, "GET", path, "evil.example:4141")
            assert (status, b"own address" in said) == (403, True), path
            assert (await called(bench, "GET", path, "evil.example:4141", authorization="Bearer sk-any"))[
                0
            ] == 403
            assert (await called(bench, "GET", path, "evil.example:4141", authorization=f"Bearer {key}"))[
                0
            ] < 403
            for host in ("localhost:4141", "127.0.0.1:4141", "[::1]:4141", "host.docker.internal:4141"):
                assert (await called(bench, "GET", path, host))[0] < 403, (path, host)


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_whoever_comes_by_a_proxy_is_no_admin_without_a_key(open_bench, make, header):
    """The proxy runs on this machine and calls the gate by its address, as nginx does."""
    admin = make("boss", admin=True)
    async with open_bench() as bench:
        for path in ("/admin/fleet", "/metrics", "/admin/requests"):
            assert (await called(bench, "GET", path, "127.0.0.1", **{header: "203.0.113.9"}))[0] == 401, path
            assert (
                await called(bench, "GET", path, "127.0.0.1", **{header: "203.0.113.9"}, **bearer(admin))
            )[0] == 200
        _, health = await called(bench, "GET", "/healthz", "127.0.0.1", **{header: "203.0.113.9"})
        assert set(json.loads(health)) == {"status", "version", "pid"}


async def test_a_subagents_requests_are_its_callers(open_bench, make):
    key = make("web", team="it")
    async with open_bench(local="negative") as bench:
        said = await bench.send(
            "POST", "/v1/agents/sentiment/runs", b'{"input": "My screen is black"}', **bearer(key)
        )
        assert said.status == 200, said.body
        (outcome,) = await bench.written()
        assert (outcome.key, outcome.team) == ("web", "it")


async def test_a_batch_is_its_clients_also_after_he_has_gone(open_bench, make):
    key = make("web", team="it")
    requests = {"requests": [{"custom_id": "1", "params": CHAT | {"max_tokens": 20}}]}
    async with open_bench(change=required) as bench:
        made = await bench.send("POST", "/v1/messages/batches", json.dumps(requests).encode(), **bearer(key))
        assert made.status == 200, made.body
        (outcome,) = await bench.written()
        assert (outcome.key, outcome.team, outcome.status) == ("web", "it", "ok")


async def test_a_batch_of_the_gates_own_user_is_his_without_a_key(open_bench):
    requests = {"requests": [{"custom_id": "1", "params": CHAT | {"max_tokens": 20}}]}
    async with open_bench(change=required) as bench:
        local = bearer(bench.gate.local_key)
        made = await bench.send("POST", "/v1/messages/batches", json.dumps(requests).encode(), **local)
        assert made.status == 200, made.body
        path = f"/v1/messages/batches/{made.json['id']}"
        async with asyncio.timeout(60):
            while (done := (await bench.send("GET", path, **local)).json)["processing_status"] != "ended":
                await asyncio.sleep(0.02)
        assert done["request_counts"]["succeeded"] == 1, done


async def test_a_browser_gets_a_session_for_a_key_and_loses_it_with_the_key(open_bench, make, revoke):
    key = make("boss", admin=True)
    async with open_bench(change=required) as bench:
        keys = bench.gate.entrance.keys
        assert await keys.begin_session("hg-wrong", secure=False) is None
        line = (await keys.begin_session(key, secure=True)).decode()
        assert line.startswith("set-cookie: headgate=")
        assert all(word in line for word in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"))
        assert key not in line
        cookie = line.removeprefix("set-cookie: ").partition(";")[0]
        assert (await bench.send("GET", "/metrics", cookie=f"a=b; {cookie}")).status == 200
        assert keys.by_session({b"cookie": cookie.encode()}) == Holder("boss", "", admin=True)
        host = bench.url.removeprefix("http://")
        strange = await bench.send(
            "POST",
            "/v1/chat/completions",
            json.dumps(CHAT).encode(),
            cookie=cookie,
            origin="http://elsewhere.example",
        )
        assert strange.status == 403
        own = await bench.send(
            "POST", "/v1/chat/completions", json.dumps(CHAT).encode(), cookie=cookie, origin=f"http://{host}"
        )
        assert own.status == 200
        revoke("boss")
        async with asyncio.timeout(60):
            while (await bench.send("GET", "/metrics", cookie=cookie)).status == 200:
                await asyncio.sleep(0.1)
        other = (
            (await keys.begin_session(make("next", admin=True), secure=False))
            .decode()
            .split(": ")[1]
            .split(";")[0]
        )
        assert (await bench.send("GET", "/metrics", cookie=other)).status == 200
        assert "Max-Age=0" in keys.end_session({b"cookie": other.encode()}).decode()
        assert (await bench.send("GET", "/metrics", cookie=other)).status == 401


class Page:
    """A service for admins, with a form to log in that anybody may see."""

    admin = True
    open_paths = frozenset({"/dash/login"})
    methods = MappingProxyType({"/dash": ("GET",), "/dash/login": ("GET", "POST")})

    async def answer(self, call, path, names):
        call.answer(200, b"content-type: text/html\r\n", path.encode())

    def describe(self):
        return {}


async def test_a_service_for_admins_sends_a_browser_to_its_form(open_bench, make):
    admin, web = make("boss", admin=True), make("web")
    async with open_bench(change=required) as bench:
        bench.gate.http.services = type(bench.gate.http.services)([Page()])
        assert (await bench.send("GET", "/dash", accept="text/html")).status == 303
        assert (await bench.send("GET", "/dash")).status == 401
        assert (await bench.send("GET", "/dash", **bearer(web))).status == 403
        assert (await bench.send("GET", "/dash", **bearer(admin))).status == 200
        assert (await bench.send("GET", "/dash/login")).status == 200
        named = await called(bench, "POST", "/dash/login", "box.lan:4141", origin="http://box.lan:4141")
        assert named[0] == 200
        assert (await bench.send("POST", "/dash/login", b"", origin="http://evil.example")).status == 403
    async with open_bench() as bench:
        bench.gate.http.services = type(bench.gate.http.services)([Page()])
        assert (await bench.send("GET", "/dash")).status == 200
        assert (await called(bench, "GET", "/dash", "evil.example"))[0] == 403
