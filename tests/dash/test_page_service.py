"""The page over HTTP: its files and their rules, who may look, what bad questions get, and events that miss nothing."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
from page_gate import served
from page_ledger import week_of_requests, write_ledger
from test_page_flows import asked, say

from headgate.dash.assets import load_assets


def send(url, method, path, body=b"", **headers):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(
            method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def fault(url, path):
    status, _, body = send(url, "GET", path)
    told = json.loads(body)["error"]
    return status, told["message"], told["hint"]


class Events:
    """An open connection to /admin/live."""

    def __init__(self, url, path="/admin/live", **headers):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        self.connection.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        self.answer = self.connection.getresponse()

    def next(self):
        """The next event: its name, its id and its data."""
        found = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if line:
                found[name] = value
            elif "data" in found:
                return found["event"], found.get("id"), json.loads(found["data"])

    def close(self):
        self.connection.close()


def test_who_wants_ollamas_protocol_still_gets_its_first_words(gate):
    status, _, body = send(gate, "GET", "/", accept="*/*")
    assert status == 200
    assert body.startswith(b"Ollama is running")


def test_the_page_is_asked_for_anew_and_its_files_are_kept_for_good(gate):
    status, headers, body = send(gate, "GET", "/dash/")
    assert status == 200
    assert headers["cache-control"] == "no-cache"
    assert send(gate, "GET", "/dash/", if_none_match=headers["etag"])[0] == 304
    named = re.findall(r'(?:src|href)="([^"]+)"', body.decode())
    assert len(named) > 5
    for path in named:
        status, headers, _ = send(gate, "GET", path)
        assert status == 200, path
        assert headers["cache-control"].endswith("immutable")
        assert headers["x-content-type-options"] == "nosniff"


def test_the_policy_lets_nothing_in_from_elsewhere_and_no_script_from_inside_the_page(gate):
    policy = send(gate, "GET", "/dash/")[1]["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert {word for rule in rules.values() for word in rule.split()} == {"'none'", "'self'", "data:"}


def test_files_that_are_no_part_of_the_page_are_not_given_out(gate):
    version = load_assets().version
    for name in ("README.md", "vendor/preact/LICENSE-htm", "..%2f..%2fservice.py", "nothing.js"):
        assert send(gate, "GET", f"/dash/assets/{version}/{name}")[0] == 404


def test_a_file_of_another_version_is_not_kept_for_good(gate):
    headers = send(gate, "GET", "/dash/assets/000000000000/app.js")[1]
    assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/admin/overview?period=yesterday", 'period is "yesterday"'),
        ("/admin/overview?period=", 'period is ""'),
        ("/admin/overview?period=week&period=month", "period is there more than once"),
        ("/admin/overview?from=2026-13-01", 'from is "2026-13-01"'),
        ("/admin/overview?from=2026-11-02&to=2026-11-01", "2026-11-01 is before 2026-11-02"),
        ("/admin/overview?from=0001-01-01", "too much for one view"),
        ("/admin/overview?from=9999-12-31&to=9999-12-31", "too much for one view"),
        ("/admin/requests?task=cod", 'did you mean "code"?'),
        ("/admin/requests?local=perhaps", 'local is "perhaps"'),
        ("/admin/requests?cursor=-1", 'cursor is "-1"'),
        ("/admin/requests?limit=501", 'limit is "501"'),
        ("/admin/requests?since=1e400", 'since is "1e400"'),
        ("/admin/reports/2026-W47?format=pdf", 'format is "pdf"'),
        ("/admin/routing?since=then", 'since is "then"'),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_what_to_write_instead(gate, path, said):
    status, message, hint = fault(gate, path)
    assert status == 400
    assert said in message
    assert hint


def test_what_is_shown_is_what_the_document_says(gate):
    document = asked(gate, "/openapi.json")
    one = asked(gate, "/admin/requests?failed_locally=yes&limit=1")["requests"][0]["line"]["id"]
    body = b'{"model": "auto", "messages": [{"role": "user", "content": "Was I charged twice?"}]}'
    foreseen = json.loads(send(gate, "POST", "/admin/route", body, content_type="application/json")[2])
    shown = {
        ("/admin/overview", "get"): asked(gate, "/admin/overview?period=month"),
        ("/admin/requests", "get"): asked(gate, "/admin/requests?limit=100"),
        ("/admin/requests/{id}", "get"): asked(gate, f"/admin/requests/{one}"),
        ("/admin/reports", "get"): asked(gate, "/admin/reports"),
        ("/admin/routing", "get"): asked(gate, "/admin/routing?since=0"),
        ("/admin/route", "post"): foreseen,
    }
    for (path, method), answer in shown.items():
        told = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema_rs.validator_for({**told, "components": document["components"]}).validate(answer)
        assert set(answer) <= set(told.get("properties", told.get("anyOf", [{}])[0].get("properties"))), path
    assert not [path for path in document["paths"] if path.startswith("/dash")]


@pytest.mark.parametrize(
    "path",
    [
        "/admin/overview",
        "/admin/overview?period=never",
        "/admin/requests?limit=0",
        "/admin/requests/nobody",
        "/admin/reports",
        "/admin/reports/this?format=csv",
        "/admin/reports/2026-W99",
        "/admin/routing?since=-1",
        "/dash/assets/1/nothing.js",
        "/dash",
    ],
)
def test_head_has_the_status_of_get_and_no_body(gate, path):
    status, _, body = send(gate, "HEAD", path)
    assert (status, body) == (send(gate, "GET", path)[0], b"")


def test_a_week_that_there_is_not_is_not_found(gate):
    for week in ("2026-W99", "nonsense"):
        status, message, hint = fault(gate, f"/admin/reports/{week}")
        assert (status, week in message, bool(hint)) == (404, True, True)


def test_rows_come_piece_by_piece_without_a_gap(gate):
    first = asked(gate, "/admin/requests?task=chat&limit=7")
    ids, cursor = [row["line"]["id"] for row in first["requests"]], first["next"]
    while cursor:
        piece = asked(gate, f"/admin/requests?task=chat&limit=50&cursor={cursor}")
        assert piece["count"] is None
        ids += [row["line"]["id"] for row in piece["requests"]]
        cursor = piece["next"]
    assert len(ids) == len(set(ids)) == first["count"]
    assert ids == sorted(ids, reverse=True)


def test_the_period_before_is_as_long_as_this_one_has_lasted(gate):
    period = asked(gate, "/admin/overview?period=week")["period"]
    lasted = period["as_of"] - period["since"]
    assert period["before"] == [period["since"] - 7 * 86_400, period["since"] - 7 * 86_400 + lasted]


def test_the_stretches_of_the_chart_add_up_to_the_figures(gate):
    for query in ("period=month", "period=week", "from=2026-01-01"):
        told = asked(gate, f"/admin/overview?{query}")
        lines = told["series"]["lines"]
        assert sum(sum(line["requests"]) for line in lines) == told["now"]["requests"]
        audits = asked(gate, f"/admin/audits/estimates?{query}")["audited"]["cost"]  # of no model's answers
        answers = sum(sum(line["cost"]) for line in lines)
        assert answers + audits == pytest.approx(told["now"]["spent"], abs=1e-9)


def test_the_savings_of_a_week_are_the_reports_to_the_last_cent(gate):
    for week in asked(gate, "/admin/reports")["weeks"][:2]:
        told = asked(gate, f"/admin/reports/{week['week']}?format=json")["savings"]
        for name, amount in week["savings"].items():
            assert told[name] == amount, name
    this = asked(gate, "/admin/overview?period=week")["now"]["savings"]
    assert this == asked(gate, "/admin/reports")["weeks"][0]["savings"]


def test_a_watcher_hears_of_a_request_and_who_comes_back_misses_none(gate):
    events = Events(gate)
    first = say(gate, "One.")
    name, seen, row = events.next()
    assert (name, seen, row["line"]["id"]) == ("request", first, first)
    assert row["local"] is True
    events.close()
    missed = [say(gate, f"Missed, number {i}.") for i in range(3)]
    time.sleep(0.3)
    back = Events(gate, last_event_id=first)
    assert [back.next()[1] for _ in missed] == missed
    last = say(gate, "And on it goes.")
    assert back.next()[1] == last
    back.close()


def test_a_watcher_who_names_a_request_that_nobody_knows_hears_of_new_ones(gate):
    events = Events(gate, "/admin/live?after=nothing")
    request = say(gate, "Still there?")
    assert events.next()[1] == request
    events.close()


def test_where_keys_are_needed_the_files_are_open_and_the_figures_are_not(folder, visit):
    path = folder / "locked.db"
    write_ledger(path, week_of_requests(50, time.time() - 60))
    with served(folder, path, server='keys = "required"') as url:
        made = subprocess.run(
            [
                sys.executable,
                "-m",
                "headgate",
                "keys",
                "create",
                "boss",
                "--admin",
                "--json",
                "--config",
                str(folder / "headgate.toml"),
            ],
            env=os.environ | {"TEST_KEY": "x"},
            capture_output=True,
            text=True,
            check=True,
        )
        key = json.loads(made.stdout)["key"]
        assert send(url, "GET", "/admin/overview")[0] == 401
        assert send(url, "GET", "/admin/live")[0] == 401
        assert send(url, "GET", "/admin/overview", authorization=f"Bearer {key}")[0] == 200
        tab = visit(url)
        tab.expected.append("401")
        page = tab.page
        page.goto(f"{url}/dash/#/overview")
        page.wait_for_selector("h1:has-text('This gate asks for a key')")
        page.fill("input[name=key]", "hg-not-a-key")
        page.click("text=Open the page")
        page.wait_for_selector("[role=alert]:has-text('does not know this key')")
        page.fill("input[name=key]", key)
        page.keyboard.press("Enter")
        page.wait_for_selector(".headline")
        cookie = page.context.cookies()[0]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        page.click("text=Log out")
        page.wait_for_selector("h1:has-text('This gate asks for a key')")
