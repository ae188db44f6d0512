"""The page as somebody uses it: clicked, typed into, left and come back to."""

import json
import re
import urllib.request

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


def asked(url, path):
    with urllib.request.urlopen(f"{url}{path}", timeout=30) as answer:
        return json.loads(answer.read())


def say(url, text, model="auto"):
    return post(
        f"{url}/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}]}
    )


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers["x-headgate-request-id"]


def shown_number(text):
    return int(re.sub(r"\D", "", text.split("request")[0]))


def test_a_browser_that_opens_the_gates_address_is_led_to_the_page(gate, visit):
    page = visit(gate).page
    page.goto(f"{gate}/")
    page.wait_for_selector("h1:has-text('Overview')")
    assert page.title() == "Overview · Headgate"


def test_every_view_of_the_menu_opens_and_is_marked_as_the_one_that_is_open(gate, visit):
    tab = visit(gate)
    page = tab.go("overview")
    for name in ("Live", "Routing", "Fleet", "Reports", "Ask", "Overview"):
        page.click(f"nav a:has-text('{name}')")
        page.wait_for_selector(f"nav a[aria-current=page]:has-text('{name}')")
        expect(page).to_have_title(f"{name} · Headgate")
        tab.settled()


def test_the_first_view_says_what_the_report_of_the_same_week_says(gate, visit):
    page = visit(gate).go("overview")
    week = asked(gate, "/admin/reports")["weeks"][0]
    told = (
        urllib.request.urlopen(f"{gate}/admin/reports/{week['week']}?format=text", timeout=30).read().decode()
    )
    figures = dict(
        zip(
            page.locator(".figure dt").all_inner_texts(),
            page.locator(".figure .big").all_inner_texts(),
            strict=True,
        )
    )
    assert f"Total requests:  {figures['Requests']}" in told
    assert figures["Spent"] in told
    assert figures["Saved"] in told


@pytest.mark.parametrize(
    ("figure", "query"),
    [("Requests", {}), ("Answered at home", {"local": "yes"}), ("Spent", {"local": "no"})],
)
def test_a_number_leads_to_the_rows_that_it_counts(gate, visit, figure, query):
    tab = visit(gate)
    page = tab.go("overview?period=month")
    told = asked(gate, "/admin/overview?period=month")["now"]
    page.click(f".figure:has(dt:text-is('{figure}')) .big a")
    page.wait_for_selector("h1:has-text('Requests')")
    tab.settled()
    wanted = {"Requests": told["requests"], "Answered at home": told["at_home"], "Spent": told["paid"]}[
        figure
    ]
    assert shown_number(page.inner_text(".page-note")) == wanted
    for name, value in query.items():
        assert f"{name}={value}" in page.url


def test_a_reason_leads_to_the_rows_that_a_paid_model_answered_for_it(gate, visit):
    tab = visit(gate)
    page = tab.go("overview?period=month")
    bar = page.locator(".bars li").first
    said, number = bar.locator("a").inner_text(), bar.locator(".amount").inner_text().split()[0]
    bar.locator("a").click()
    page.wait_for_selector("h1:has-text('Requests')")
    tab.settled()
    assert page.inner_text(".page-note").startswith(number)
    assert set(page.locator("tbody td:nth-child(5)").all_inner_texts()) == {said}


def test_the_failures_of_a_task_lead_to_the_rows_that_failed(gate, visit):
    tab = visit(gate)
    page = tab.go("overview?period=month")
    row = page.locator("table:has(caption:text-is('Where local fails, by task')) tr:has(a:text-is('code'))")
    failed = row.locator("td").nth(2)
    number = failed.inner_text()
    failed.locator("a").click()
    page.wait_for_selector("h1:has-text('Requests')")
    tab.settled()
    assert shown_number(page.inner_text(".page-note")) == int(number)


def test_the_period_stands_in_the_address_and_the_back_button_takes_it_back(gate, visit):
    tab = visit(gate)
    page = tab.go("overview")
    page.click("text=Month")
    page.wait_for_url("**/#/overview?period=month")
    page.click("text=Custom")
    page.wait_for_selector("input[type=date] >> nth=1")
    page.fill("input[aria-label=From]", "2020-01-01")
    page.fill("input[aria-label=To]", "2020-01-31")
    page.wait_for_selector("text=Nothing was asked in this time")
    page.go_back()
    page.go_back()
    page.go_back()
    page.wait_for_url("**/#/overview?period=month")
    page.wait_for_selector(".headline")


def test_filters_stand_in_the_address_and_can_be_taken_away(gate, visit):
    tab = visit(gate)
    page = tab.go("requests?task=code&failed_locally=yes")
    few = shown_number(page.inner_text(".page-note"))
    page.click("button.chip:has-text('a local answer failed')")
    page.wait_for_url("**/#/requests?task=code")
    expect(page.locator(".page-note")).not_to_have_text(f"{few} requests")
    assert shown_number(page.inner_text(".page-note")) > few
    page.select_option("label:has-text('Task') select", "chat")
    page.wait_for_url("**/#/requests?task=chat")
    expect(page.locator("tbody td:nth-child(2):not(:text-is('chat'))")).to_have_count(0)


def test_more_rows_come_when_they_are_asked_for_and_none_twice(gate, visit):
    tab = visit(gate)
    page = tab.go("requests")
    first = page.locator("tbody tr").count()
    page.click("text=Show more")
    expect(page.locator("tbody tr")).to_have_count(2 * first)
    ids = page.eval_on_selector_all("tbody a.when", "all => all.map((one) => one.href)")
    assert len(ids) == 2 * first == len(set(ids))


def test_a_row_opens_the_whole_story_and_escape_closes_it(gate, visit):
    tab = visit(gate)
    page = tab.go("requests?fallback=quality check failed")
    page.click("tbody tr >> nth=0")
    page.wait_for_selector("dialog[open] .timeline")
    told = page.inner_text("dialog")
    assert page.locator(".timeline > li").count() == 2
    assert "rejected with 0.20" in told
    assert "passed with 1.00" in told
    assert "quality check failed" in told
    assert "&request=" in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert "request=" not in page.url


def test_a_story_that_does_not_exist_is_said_to_be_missing(gate, visit):
    tab = visit(gate)
    tab.expected.append("404")
    page = tab.go("requests?request=nowhere")
    page.wait_for_selector("dialog [role=alert]:has-text(\"the ledger has no request 'nowhere'\")")


def test_a_request_appears_at_the_moment_it_ends_and_tells_its_story(gate, visit):
    tab = visit(gate)
    page = tab.go("live")
    page.wait_for_selector(".pulse.on")
    request = say(gate, "How is the weather at the desk?")
    row = page.locator(f"tbody tr:has(a[href*='{request}'])")
    row.wait_for()
    assert "llama3.1 (Ollama)" in row.inner_text()
    assert page.inner_text(".page-note").endswith("1 request since you came")
    row.click()
    page.wait_for_selector("dialog[open] .story-lead:has-text('llama3.1 (Ollama) answered')")
    assert "SAID OF ITS ANSWER" not in page.inner_text("dialog").upper()
    page.keyboard.press("Escape")
    post(f"{gate}/v1/feedback", {"id": request, "thumb": "down", "comment": "there is no weather here"})
    row.click()
    page.wait_for_selector("dialog li:has-text('missed, by caller: there is no weather here')")


def test_rows_are_held_back_while_the_live_view_is_paused(gate, visit):
    tab = visit(gate)
    page = tab.go("live")
    page.wait_for_selector(".pulse.on")
    page.click("text=Pause")
    request = say(gate, "Are you there?")
    page.wait_for_timeout(500)
    assert not page.locator(f"a[href*='{request}']").count()
    page.click("text=Go on")
    page.locator(f"tbody tr:has(a[href*='{request}'])").wait_for()


def test_a_week_of_the_archive_is_read_in_the_page_and_kept_as_a_file(gate, visit):
    tab = visit(gate)
    page = tab.go("reports")
    weeks = page.locator("tbody tr").count()
    assert weeks == len(asked(gate, "/admin/reports")["weeks"]) >= 3
    week = page.locator("tbody tr strong").first.inner_text()
    page.click("tbody tr >> nth=0")
    frame = page.frame_locator("iframe.report")
    frame.locator("h1").wait_for()
    page.click("text=Download")
    with page.expect_download() as got:
        page.click(".drop a:has-text('Text')")
    year, number = week.split("-W")
    assert got.value.suggested_filename == f"routing-report-{year}-week-{number}.log"


def test_a_gate_that_nobody_has_asked_anything_says_what_to_do(empty_gate, visit):
    tab = visit(empty_gate)
    page = tab.go("overview")
    page.wait_for_selector("h2:has-text('No request has passed yet')")
    assert f"curl {empty_gate}/v1/chat/completions" in page.inner_text(".command pre")
    page = tab.go("live")
    page.wait_for_selector("h2:has-text('Waiting for the first request')")
    page = tab.go("reports")
    page.wait_for_selector("h2:has-text('no week to report on yet')")
    page = tab.go("requests")
    page.wait_for_selector("h2:has-text('No request fits')")


def test_the_keyboard_alone_is_enough(gate, visit):
    tab = visit(gate)
    page = tab.go("overview")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_selector("h1:has-text('Live')")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]:has-text('Change the theme')")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_selector("h1:has-text('Requests')")
    tab.settled()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    page.locator("tbody a.when").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] .timeline")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_single_keys_can_be_turned_off(gate, visit):
    tab = visit(gate)
    page = tab.go("overview")
    page.keyboard.press("?")
    page.uncheck("text=Single keys do this")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_timeout(200)
    assert page.inner_text("h1") == "Overview"


def test_the_theme_is_the_systems_until_somebody_chooses_and_then_stays(gate, visit):
    tab = visit(gate, theme="dark")
    page = tab.go("overview")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.click("text=System theme")
    assert page.evaluate(theme) == "light"
    page.reload()
    page.wait_for_selector("text=Light theme")
    assert page.evaluate(theme) == "light"
