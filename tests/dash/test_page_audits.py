"""The view of audits in a real browser: what it says is what the report says, and pairs are judged by key and by button."""

import json
import re

import pytest
from playwright.sync_api import expect
from test_page_looks import troubles


def spoken(request):
    return json.loads(request.post_data)


class Pairs:
    """Stands in for two kept pairs, so that no model has to answer: the page asks for them, and says what was chosen."""

    def __init__(self, page):
        self.said = []
        self.left = [
            pair("a1", "fallback", "First thoughts.", "Second thoughts."),
            pair("b2", "local", "Aye.", "Nay."),
        ]
        page.route(
            "**/admin/audits/pairs?*", lambda route: route.fulfill(json={"pairs": self.left, "locked": 0})
        )
        page.route("**/admin/audits/*/opinion", self._judged)

    def _judged(self, route):
        choice = spoken(route.request)["choice"]
        self.said.append((route.request.url.rsplit("/", 2)[-2], choice))
        route.fulfill(json={"verdict": None if choice is None else "unnecessary"})


def pair(id_, kind, first, second):
    return {
        "id": id_,
        "kind": kind,
        "task": "chat",
        "route": "everything else",
        "received": 0.0,
        "cause": "",
        "verdict": "unclear",
        "judge": "local model",
        "reason": "",
        "asked": [{"role": "user", "content": "What do you think?"}],
        "answers": [
            {"model": "llama", "local": True, "text": first, "score": None},
            {"model": "claude", "local": False, "text": second, "score": None},
        ],
    }


@pytest.fixture
def looked_at(gate, visit):
    tab = visit(gate)
    pairs = Pairs(tab.page)
    return tab.go("audits?period=month"), pairs


def test_the_view_says_what_the_estimates_are(gate, looked_at):
    page, _ = looked_at
    told = page.evaluate("fetch('/admin/audits/estimates?period=month').then((answer) => answer.json())")
    number = told["audited"]["fallbacks"]["all"]["number"]
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


def test_pairs_are_judged_by_key_and_by_button_and_names_are_shown_only_afterwards(looked_at):
    page, pairs = looked_at
    review = page.locator("section", has=page.get_by_role("heading", name="Review"))
    expect(review.get_by_role("article")).to_have_count(2)
    expect(review).not_to_contain_text("claude")
    page.keyboard.press("2")
    expect(review).to_contain_text("the first was llama, the second claude")
    expect(review).to_contain_text("Aye.")
    review.get_by_role("button", name="Both are as good").click()
    expect(review).to_contain_text("Nothing to look at")
    review.get_by_role("button", name="Take it back").click()
    expect(review).to_contain_text("Aye.")
    assert pairs.said == [("a1", "2"), ("b2", "="), ("b2", None)]
    assert troubles(page) == []


def test_overruling_asks_for_the_figures_anew(looked_at):
    page, _ = looked_at
    with page.expect_request("**/admin/audits/estimates*"):
        page.keyboard.press("=")


def test_where_nothing_is_audited_the_view_says_what_to_do_first(empty_gate, visit):
    tab = visit(empty_gate, size="phone")
    Pairs(tab.page).left.clear()
    page = tab.go("audits")
    expect(page.locator("main")).to_contain_text("Nothing is audited yet")
    expect(page.locator(".command pre")).to_contain_text("[audit]")
    assert troubles(page) == []
