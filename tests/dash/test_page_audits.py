"""The view of audits in a real browser: what it says is what the report says, and pairs are judged by key and by button."""

import re

from page_ledger import PAIRS
from playwright.sync_api import expect
from test_page_looks import troubles


def estimates(page):
    return page.evaluate(
        "fetch('/admin/audits/estimates?period=month').then((answer) => answer.json()).then(({audited}) => audited.fallbacks.all)"
    )


def review(page):
    return page.locator("section", has=page.get_by_role("heading", name="Review"))


def test_the_view_says_what_the_estimates_are(gate, visit):
    page = visit(gate).go("audits?period=month")
    number = estimates(page)["number"]
    assert 0 < number["low"] < number["expected"] < number["high"]
    figure = page.locator(".figure", has_text="Unnecessary fallbacks")
    expect(figure.locator(".big")).to_have_text(f"≈ {round(number['expected']):,}")
    expect(figure).to_contain_text(f"{round(number['low']):,} to {round(number['high']):,} of")
    expect(page.locator(".figure", has_text="Missed escalations").locator(".big")).to_have_text(
        re.compile(r"≈ \d")
    )
    expect(page.get_by_role("region", name="Unnecessary fallbacks by cause")).to_contain_text("token count")
    expect(page.get_by_role("region", name="Judges and their agreement with labels")).to_contain_text(
        "100.0%"
    )
    expect(page.get_by_label("Failures against dollars")).to_be_visible()


def test_what_nobody_has_a_price_for_is_unknown_and_nothing_is_drawn(gate, visit):
    def without_prices(route):
        answer = route.fetch()
        told = answer.json()
        fallbacks, local = (told["audited"][kind] for kind in ("fallbacks", "local"))
        for one in (fallbacks["all"], *fallbacks["by_cause"]):
            one.update(dollars=None, unpriced=one["requests"])
        local["all"]["unpriced"] = 1
        for point in told["audited"]["curves"][0]["points"][5:]:
            point.update(dollars=None, unpriced=3.0)
        route.fulfill(response=answer, json=told)

    one = visit(gate)
    one.context.route("**/admin/audits/estimates?*", without_prices)
    page = one.go("audits?period=month")
    expect(page.locator(".figure", has_text="Unnecessary fallbacks")).to_contain_text("cost unknown")
    expect(page.locator(".figure", has_text="Missed escalations")).to_contain_text(">= $")
    expect(page.get_by_role("region", name="Unnecessary fallbacks by cause")).to_contain_text("unknown")
    threshold = page.locator("section", has=page.get_by_role("heading", name="What a threshold costs"))
    expect(threshold).to_contain_text("there is nothing to draw")
    expect(threshold.get_by_role("row", name="1.0")).to_contain_text("unknown")
    expect(page.get_by_label("Failures against dollars")).to_have_count(0)


def test_pairs_are_judged_by_key_and_by_button_named_only_afterwards_and_change_the_figures(gate, visit):
    page = visit(gate).go("audits?period=month")
    before = estimates(page)
    section = review(page)
    expect(section.get_by_role("article")).to_have_count(2)
    expect(section).to_contain_text("2 to look at")
    expect(section).not_to_contain_text("llama")
    assert troubles(page) == []
    with page.expect_response("**/admin/audits/estimates*"):
        page.keyboard.press("=")
    expect(section).to_contain_text("unnecessary")
    expect(section.locator(".judged-last")).to_contain_text(
        re.compile("llama's, the second claude's|claude's, the second llama's")
    )
    assert estimates(page)["found"] == before["found"] + 1
    asked = section.locator(".asked")
    local, _ = next(pair for question, pair in PAIRS.items() if question in asked.inner_text())
    first = section.get_by_role("article").first.locator(".answer-text").inner_text()
    better = "Second" if first == local else "First"  # the paid one
    with page.expect_response("**/admin/audits/estimates*"):
        section.get_by_role("button", name=f"The {better.lower()} is better").click()
    expect(section).to_contain_text("necessary")
    expect(section).to_contain_text("Nothing to look at")
    assert estimates(page)["judged"] == before["judged"] + 2
    assert estimates(page)["found"] == before["found"] + 1
    with page.expect_response("**/admin/audits/estimates*"):
        section.get_by_role("button", name="Take it back").click()
    expect(section).to_contain_text("1 to look at")
    assert estimates(page)["judged"] == before["judged"] + 1
    assert troubles(page) == []


def test_keys_that_are_typed_elsewhere_or_switched_off_judge_nothing(gate, visit):
    page = visit(gate).go("audits?period=month")
    page.evaluate("localStorage.setItem('headgate.shortcuts', 'off')")
    page.keyboard.press("1")
    page.wait_for_timeout(100)
    expect(review(page)).not_to_contain_text("Take it back")


def test_where_nothing_is_audited_the_view_says_what_to_do_first(empty_gate, visit):
    page = visit(empty_gate, size="phone").go("audits")
    expect(page.locator("main")).to_contain_text("Nothing is audited yet")
    expect(page.locator(".command pre")).to_contain_text("[audit]")
    assert troubles(page) == []
