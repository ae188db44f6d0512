"""Routing, Fleet and Ask as somebody uses them: flows followed, sliders moved, engines watched, prompts sent."""

import json
import re
import time
import urllib.request

import pytest
from page_gate import served
from test_page_flows import asked
from test_page_looks import picture, troubles
from test_page_service import send

expect = pytest.importorskip("playwright.sync_api").expect

TRIED = "routing?set=routes.long.tokens_over%3D800"


def numbers(text):
    return [int(found.replace(",", "")) for found in re.findall(r"\d[\d,]*", text)]


# ── Routing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_flow_the_table_and_the_ledger_say_the_same(gate, visit):
    page = visit(gate).go("routing")
    told = asked(gate, "/admin/routing")
    assert numbers(page.inner_text(".page-note"))[0] == told["requests"]
    expect(page.locator(".chart canvas").first).to_be_visible()
    page.click("summary:has-text('The same as a table')")
    rows = page.locator(".as-table tbody tr")
    assert rows.count() == len(told["flows"])
    assert (
        sum(numbers(cell)[0] for cell in rows.locator("td:nth-child(5)").all_inner_texts())
        == told["requests"]
    )
    share = sum(flow["requests"] for flow in told["flows"] if flow["local"]) / told["requests"]
    assert f"{100 * share:.1f}%" in page.locator(".chart").first.get_attribute("aria-label")


def test_each_number_of_the_rules_leads_to_its_rows(gate, visit):
    tab = visit(gate)
    page = tab.go("routing")
    outside = page.get_by_role("button", name="outside these rules")
    if outside.count():
        outside.click()
    row = page.locator(".section table tbody tr").filter(has=page.locator("a")).last
    many = numbers(row.locator("a").inner_text())[0]
    row.locator("a").click()
    expect(page).to_have_title("Requests · Headgate")
    tab.settled()
    assert numbers(page.inner_text(".page-note"))[0] == many


def test_a_box_of_the_flow_leads_to_its_rows(gate, visit):
    tab = visit(gate)
    page = tab.go("routing")
    box = page.locator(".chart canvas").first.bounding_box()
    page.wait_for_timeout(400)
    page.mouse.click(box["x"] + 7, box["y"] + 40)
    expect(page).to_have_title("Requests · Headgate")


def test_moving_a_slider_replays_what_was_recorded_and_writes_the_lines(gate, visit):
    page = visit(gate).go("routing")
    slider = page.get_by_label("An answer passes at")
    before = slider.input_value()
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == pytest.approx(float(before) + 0.05)
    expect(page.locator(".verdict .command pre")).to_have_text("[quality]\npass_at = 0.65", timeout=30_000)
    assert "set=quality.pass_at%3D0.65" in page.url
    page.reload()
    expect(page.locator(".verdict .command pre")).to_have_text("[quality]\npass_at = 0.65", timeout=30_000)
    page.click("text=Reset")
    expect(page.locator(".verdict")).to_contain_text("Move a slider")
    assert "set=" not in page.url


def test_the_replay_on_the_page_is_the_one_over_http(gate, visit):
    since = time.time() - 30 * 86_400
    body = json.dumps({"set": ["routes.long.tokens_over=800"], "since": since}).encode()
    status, headers, answer = send(gate, "POST", "/admin/replay", body, content_type="application/json")
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    *progress, last = [json.loads(line) for line in answer.splitlines()]
    assert all(0 < line["done"] <= line["of"] for line in progress)
    result = last["result"]
    assert result["requests"] == asked(gate, "/admin/routing")["requests"]
    page = visit(gate).go(TRIED)
    expect(page.locator(".verdict .command pre")).to_contain_text("tokens_over = 800", timeout=30_000)
    known = sum(result[kind] for kind in ("unchanged", "exact", "estimated", "unknown"))
    assert known == result["requests"]
    assert (
        f"{result['unchanged']:,} as they were" in page.inner_text(".verdict") or result["unchanged"] == known
    )


def test_what_cannot_be_tried_is_said_on_the_page(gate, visit):
    page = visit(gate).go("routing?set=routes.nowhere.tokens_over%3D1")
    expect(page.get_by_role("alert")).to_contain_text('there is no route "nowhere"', timeout=30_000)


def test_another_order_of_models_is_tried_with_buttons(gate, visit):
    page = visit(gate).go("routing")
    page.click("summary:has-text('Which models a route tries')")
    page.get_by_role("button", name="Try claude earlier on everything else").click()
    expect(page.locator(".verdict .command pre")).to_contain_text('try = ["claude", "llama"]', timeout=30_000)
    assert numbers(page.locator(".verdict-figures > div:nth-child(3) dd").first.inner_text())[0] > 0


def test_a_caller_who_leaves_ends_his_replay_and_the_next_one_runs(gate):
    import http.client
    from urllib.parse import urlsplit

    for _ in range(3):
        connection = http.client.HTTPConnection(urlsplit(gate).netloc, timeout=30)
        connection.request("POST", "/admin/replay", b'{"set": []}', {"content-type": "application/json"})
        connection.close()
    began = time.monotonic()
    status, _, answer = send(gate, "POST", "/admin/replay", b"{}", content_type="application/json")
    assert status == 200
    assert "result" in json.loads(answer.splitlines()[-1])
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/admin/replay", b"no json", "JSON"),
        ("/admin/replay", b'{"sets": []}', "sets"),
        ("/admin/replay", b'{"set": ["routes.long"]}', "set[0] is no setting that can be tried"),
        (
            "/admin/replay",
            b'{"set": ["quality.pass_at=0.7\\u0000"]}',
            "set[0] is no setting that can be tried",
        ),
        ("/admin/replay", b'{"since": -1}', "since"),
        ("/admin/route", b'{"model": "auto"}', "messages"),
        ("/admin/route", b'{"model": "nobody", "messages": [{"role": "user", "content": "x"}]}', "nobody"),
    ],
)
def test_bad_questions_get_an_error_that_says_what_is_wrong(gate, path, body, said):
    status, _, answer = send(gate, "POST", path, body, content_type="application/json")
    assert 400 <= status < 500
    assert said in json.loads(answer)["error"]["message"]


# ── Fleet ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_fleet_shows_every_engine_and_model_with_its_slots(gate, visit):
    page = visit(gate).go("fleet")
    told = asked(gate, "/admin/fleet")
    assert page.locator(".engine").count() == len(told["engines"])
    for name, engine in told["engines"].items():
        card = page.locator(f".engine[aria-label={name}]")
        assert (
            "down" if not engine["up"] else "up" if engine["local"] else "ready to be asked"
        ) in card.inner_text()
        for lane in (lane for lane in told["lanes"] if lane["engine"] == name):
            assert lane["id"] in card.inner_text()
    first = page.inner_text(".pulse")
    expect(page.locator(".pulse")).not_to_have_text(first, timeout=10_000)


def test_a_model_that_is_loaded_for_a_request_is_told_of_lately(empty_gate, visit):
    body = json.dumps({"model": "llama", "messages": [{"role": "user", "content": "hello"}]}).encode()
    request = urllib.request.Request(
        f"{empty_gate}/v1/chat/completions", body, {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).read()
    told = asked(empty_gate, "/admin/fleet")
    page = visit(empty_gate).go("fleet")
    llama = next(lane for lane in told["lanes"] if lane["model"] == "llama")
    if llama["state"] == "ready":
        expect(page.locator(".engine[aria-label=ollama]")).to_contain_text("in memory")
    assert {moved["what"] for moved in told["moved"]} <= {"loaded", "unloaded", "failed"}
    for moved in told["moved"]:
        assert moved["model"] in page.inner_text("main")


def test_a_gate_that_goes_away_is_said_to_have_been_seen_last(folder, visit):
    with served(folder, folder / "down.db") as url:
        tab = visit(url)
        tab.expected += ["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
        page = tab.go("fleet")
        expect(page.locator(".engine[aria-label=ollama]")).to_contain_text("up")
    expect(page.get_by_role("alert")).to_contain_text("the gate does not answer", timeout=10_000)
    expect(page.locator(".pulse")).to_contain_text("last seen")


# ── Ask ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_decision_is_shown_before_anybody_is_asked(gate, visit):
    page = visit(gate).go("ask")
    before = asked(gate, "/healthz")["ledger"]["written"]
    page.get_by_role("button", name="Summarize").click()
    expect(page.locator(".route-said")).to_contain_text("Route everything else")
    expect(page.locator(".chosen li")).to_have_count(2)
    assert "is asked first" in page.locator(".chosen li").first.inner_text()
    expect(page.locator(".pick", has_text="claude")).to_contain_text(re.compile(r"paid, about \$0\.00"))
    page.get_by_label("Must stay at home").check()
    expect(page.locator(".chosen li", has_text="claude")).to_contain_text("skipped, privacy")
    assert asked(gate, "/healthz")["ledger"]["written"] == before


def test_the_dry_run_and_the_real_one_choose_alike(gate):
    body = {"model": "auto", "messages": [{"role": "user", "content": "Translate into French: good morning"}]}
    status, _, told = send(
        gate, "POST", "/admin/route", json.dumps(body).encode(), content_type="application/json"
    )
    assert status == 200
    told = json.loads(told)
    _, headers, _ = send(
        gate, "POST", "/v1/chat/completions", json.dumps(body).encode(), content_type="application/json"
    )
    assert headers["x-headgate-route"] == told["route"]
    assert headers["x-headgate-model"] == told["chain"][0]


def test_several_models_answer_side_by_side_and_each_says_what_it_took(gate, visit):
    page = visit(gate).go("ask?models=auto,claude")
    page.get_by_label("Prompt").fill("Say good morning.")
    page.get_by_role("button", name="Ask all 2").click()
    expect(page.locator(".took")).to_have_count(2, timeout=20_000)
    auto, claude = page.locator(".answer").all()
    assert "It is a quiet morning at the desk." in auto.inner_text()
    assert "free" in auto.inner_text()
    assert "It is a fine day in the cloud." in claude.inner_text()
    assert "$0.0" in claude.locator(".took").inner_text()
    assert "passed" in auto.locator(".tries").inner_text()
    claude.get_by_role("button", name="The whole story").click()
    expect(page.locator("dialog[open]")).to_contain_text("answered")
    assert "request=" in page.url


def test_a_prompt_is_sent_by_keyboard_and_its_options_stand_in_the_address(gate, visit):
    page = visit(gate).go("ask")
    page.get_by_label("Task").select_option("writing")
    page.get_by_label("Prompt").fill("Dear client")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".took")).to_have_count(1, timeout=20_000)
    assert "task=writing" in page.url
    newest = asked(gate, "/admin/requests?limit=1")["requests"][0]
    assert newest["line"]["task"] == "writing"


def test_an_answer_that_cannot_be_had_is_told_in_its_place(gate, visit):
    tab = visit(gate)
    tab.expected.append("503")
    page = tab.go("ask?models=claude&home=1")
    page.get_by_label("Prompt").fill("Stay at home")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".answer").get_by_role("alert")).to_contain_text("privacy", timeout=20_000)


# ── For everybody ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_what_appears_in_use_is_usable_to_everybody(gate, visit, size, theme):
    page = visit(gate, size=size, theme=theme).go(TRIED)
    expect(page.locator(".verdict .command")).to_be_visible(timeout=30_000)
    page.click("summary:has-text('Which models a route tries')")
    page.click("summary:has-text('The same as a table')")
    picture(page, "routing tried", size, theme)
    assert troubles(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page = visit(gate, size=size, theme=theme).go("ask?models=auto,claude")
    page.get_by_role("button", name="Sort a mail").click()
    expect(page.locator(".chosen")).to_be_visible()
    page.get_by_role("button", name="Ask all 2").click()
    expect(page.locator(".took")).to_have_count(2, timeout=20_000)
    picture(page, "ask answered", size, theme)
    assert troubles(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_an_empty_gate_says_what_to_do(empty_gate, visit):
    tab = visit(empty_gate, size="phone")
    page = tab.go("ask")
    assert "Nobody is asked until you send it" in page.inner_text("main")
    assert page.get_by_role("button", name="Ask", exact=True).is_disabled()
