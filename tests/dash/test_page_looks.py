"""What the page is for those who do not see it, who hold it in one hand, or who look at it at night."""

import os
from pathlib import Path

import pytest

AXE = Path(__file__).with_name("axe") / "axe.min.js"
VIEWS = (
    "overview",
    "overview?period=month&by=cost",
    "live",
    "routing",
    "audits?period=month",
    "fleet",
    "reports",
    "ask",
    "requests?task=code",
)
SERIOUS = ("serious", "critical")
PICTURES = os.environ.get("HEADGATE_PICTURES")
"""A folder in which pictures of each view are left, for somebody to look at."""

LOOK = "() => axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.map(({id, impact, nodes}) => ({id, impact, nodes: nodes.map(({html}) => html.slice(0, 160))})))"


def troubles(page):
    """What axe finds serious. The page's policy forbids scripts from elsewhere, so axe is put in by the browser itself."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return [found for found in page.evaluate(LOOK) if found["impact"] in SERIOUS]


def picture(page, view, size, theme):
    if PICTURES:
        name = "".join(letter if letter.isalnum() else "-" for letter in view)
        page.screenshot(path=str(Path(PICTURES) / f"{name}-{theme}-{size}.png"), full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_nothing_of_any_view_is_unusable_to_anybody(gate, visit, size, theme):
    tab = visit(gate, size=size, theme=theme)
    for view in VIEWS:
        page = tab.go(view)
        page.wait_for_timeout(150)
        picture(page, view, size, theme)
        assert troubles(page) == [], view


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_story_and_the_form_for_a_key_are_usable_to_everybody(gate, visit, theme):
    tab = visit(gate, theme=theme)
    page = tab.go("requests?fallback=quality check failed")
    page.click("tbody tr >> nth=0")
    page.wait_for_selector("dialog[open] .timeline")
    picture(page, "story", "desk", theme)
    assert troubles(page) == []
    page.keyboard.press("Escape")
    page.evaluate("dispatchEvent(new CustomEvent('keyneeded', {detail: new Error('a key is needed')}))")
    page.wait_for_selector("text=This gate asks for a key")
    picture(page, "key", "desk", theme)
    assert troubles(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_of_an_empty_gate_is_unusable_to_anybody(empty_gate, visit, theme):
    tab = visit(empty_gate, size="phone", theme=theme)
    for view in ("overview", "live", "reports", "requests"):
        page = tab.go(view)
        picture(page, f"empty {view}", "phone", theme)
        assert troubles(page) == [], view


def test_no_view_is_wider_than_a_phone(gate, visit):
    tab = visit(gate, size="phone")
    for view in VIEWS:
        page = tab.go(view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, view


def test_a_chart_is_drawn_and_said_in_words_and_figures(gate, visit):
    page = visit(gate).go("overview?period=month")
    chart = page.locator(".chart[role=img]")
    assert "llama3.1 (Ollama)" in chart.get_attribute("aria-label")
    page.wait_for_selector(".chart canvas")
    painted = page.evaluate(
        "() => { const canvas = document.querySelector('.chart canvas'); const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); return data.some((value, i) => i % 4 === 3 && value > 0); }"
    )
    assert painted
    page.click("summary:has-text('As a table')")
    assert page.locator("details[open] tbody tr").count() >= 28


def test_the_chart_tells_figures_under_the_mouse_and_leads_to_their_rows(gate, visit):
    tab = visit(gate)
    page = tab.go("overview?period=month")
    page.wait_for_selector(".chart canvas")
    busiest = page.evaluate(
        "async () => { const told = await (await fetch('/admin/overview?period=month')).json(); const line = told.series.lines[0]; const i = line.requests.indexOf(Math.max(...line.requests)); return {at: (i + 0.5) / line.requests.length, requests: line.requests[i], name: line.shown}; }"
    )
    box = page.locator(".chart").bounding_box()
    x = box["x"] + 40 + (box["width"] - 46) * busiest["at"]
    y = box["y"] + box["height"] - 40
    page.mouse.move(x, y)
    page.wait_for_selector(".tip")
    assert str(busiest["requests"]) in page.inner_text(".tip")
    page.mouse.click(x, y)
    page.wait_for_selector("h1:has-text('Requests')")
    tab.settled()
    assert page.inner_text(".page-note").startswith(f"{busiest['requests']} request")
