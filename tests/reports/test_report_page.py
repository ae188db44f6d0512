"""The report's page in a real Chromium: offline, in both themes, on a phone, on paper; and how its charts are measured."""

import re
from datetime import date
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from msgspec.structs import replace
from pypdf import PdfReader
from report_samples import CLAUDE, KNOWN_COSTS, LLAMA, POLICY, USERS_OWN_WEEK, USERS_WEEK, days, served

from headgate.reports.charts import by_day, colours, legend, scale, span
from headgate.reports.facts import WeeklyFacts
from headgate.reports.page import page
from headgate.reports.weekly import weekly

CHROMIUM = Path("/usr/bin/chromium")
in_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(weekly(USERS_OWN_WEEK, KNOWN_COSTS, policy=POLICY)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@in_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_it_opens_offline_without_a_word_on_the_console_and_nothing_sticks_out(chromium, file, theme, width):
    asked, said = [], []
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, offline=True)
    view = context.new_page()
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.goto(file.as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert view.get_by_text("$932.64").first.is_visible()
    dark = view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 26)"
    assert dark == (theme == "dark")
    context.close()


@in_chromium
def test_a_billion_dollars_fit_on_a_phone(chromium, tmp_path):
    money = replace(KNOWN_COSTS.money, cost=1e9, baseline=3e9)
    path = tmp_path / "rich.html"
    path.write_text(page(weekly(USERS_OWN_WEEK, replace(KNOWN_COSTS, cost=1e9, money=money))))
    view = chromium.new_page(viewport={"width": 390, "height": 900})
    view.goto(path.as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") <= 390
    view.close()


@in_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_against_what_is_behind_it(chromium, file, theme):
    view = chromium.new_page(viewport={"width": 1200, "height": 900}, color_scheme=theme)
    view.goto(file.as_uri())
    assert view.evaluate(CONTRAST) == []
    view.close()


@in_chromium
def test_it_prints_on_two_sheets_of_a4(chromium, file):
    view = chromium.new_page(color_scheme="dark")
    view.goto(file.as_uri())
    paper = PdfReader(BytesIO(view.pdf(prefer_css_page_size=True)))
    view.close()
    assert len(paper.pages) == 2
    width, height = paper.pages[0].mediabox.width, paper.pages[0].mediabox.height
    assert (round(float(width) / 72 * 25.4), round(float(height) / 72 * 25.4)) == (210, 297)
    text = "".join(sheet.extract_text() for sheet in paper.pages)
    assert "15,238" in text
    assert "Requests lost by the ledger: 0." in text


class Outline(HTMLParser):
    """Which elements there are, which have ids, and which ids are meant."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.meant, self.pictures = [], set(), set(), []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        if "id" in given:
            self.ids.add(given["id"])
        if "aria-labelledby" in given:
            self.meant.add(given["aria-labelledby"])
        if tag == "svg":
            self.pictures.append(given)


def test_it_has_no_script_and_refers_to_nothing_outside(file):
    shown = file.read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(shown)
    assert not {"script", "iframe", "img", "object"} & set(outline.tags)
    assert not re.search(r"https?://|//[a-z]", shown)
    assert len(shown.encode()) < 60_000


def test_each_chart_is_named_and_each_section_has_its_heading(file):
    outline = Outline()
    outline.feed(file.read_text(encoding="utf-8"))
    assert outline.pictures
    assert all(one.get("role") == "img" and one.get("aria-label") for one in outline.pictures)
    assert outline.meant == {one for one in outline.ids if one.startswith("h-")}
    assert outline.tags.count("h1") == 1


def test_what_users_name_is_text_and_never_markup():
    odd = replace(KNOWN_COSTS, served=(served("<script>x</script> (API)", 15_238, 1.0, local=False),))
    shown = page(weekly(USERS_OWN_WEEK, odd))
    assert "<script>" not in shown
    assert "&lt;script&gt;x" in shown


def test_a_week_without_requests_says_what_to_do():
    shown = page(weekly(USERS_OWN_WEEK, WeeklyFacts(since=0.0, until=1.0)))
    assert "No requests this week" in shown
    assert "headgate report --week last" in shown
    assert "<svg" not in shown


def test_bars_are_as_high_as_their_requests():
    colour = colours((row.shown, row.local) for row in USERS_WEEK.served)
    drawn = by_day(USERS_OWN_WEEK.days, days(), colour)
    heights = {}
    for box in drawn.boxes:
        heights[box.colour] = heights.get(box.colour, 0.0) + box.height
    assert heights["paid-1"] / heights["home-1"] == pytest.approx(4_105 / 6_412, rel=0.01)
    assert [label.text for label in drawn.labels] == [
        "Tue 14",
        "Wed 15",
        "Thu 16",
        "Fri 17",
        "Sat 18",
        "Sun 19",
        "Mon 20",
    ]
    assert sum(int(figure.replace(",", "")) for _, _, figure in drawn.totals) == 15_238
    assert all(box.y >= 0 and box.height >= 0 for box in drawn.boxes)


def test_models_at_home_and_paid_ones_never_share_a_colour():
    named = colours([(f"home {n}", True) for n in range(9)] + [(f"paid {n}", False) for n in range(9)])
    assert {named[f"home {n}"] for n in range(9)} == {"home-1", "home-2", "home-3", "home-4"}
    assert {named[f"paid {n}"] for n in range(9)} == {"paid-1", "paid-2", "paid-3"}
    assert colours([(LLAMA, True), (CLAUDE, False)]) == {None: "nobody", LLAMA: "home-1", CLAUDE: "paid-1"}


def test_a_legend_has_a_line_for_each_colour_however_many_models_there_are():
    drawn = legend(colours([(f"home {n}", True) for n in range(37)] + [(CLAUDE, False)]))
    assert drawn[3:] == [("home-4", "home 3 and 33 more"), ("paid-1", CLAUDE)]


@pytest.mark.parametrize("top", [1, 3, 7, 10, 99, 101, 1_234, 3_197, 10_000_000])
def test_an_axis_has_a_few_round_figures_and_reaches_the_top(top):
    figures = scale(top)
    assert figures[0] == 0
    assert top <= figures[-1] <= 2 * top + 1
    assert 2 <= len(figures) <= 6
    assert all(figure == int(figure) for figure in figures)


def test_an_interval_stands_where_its_figures_are():
    shown = span(0.10, (0.05, 0.20), 0.10, 0.25)
    assert (shown.low, shown.at, shown.high, shown.limit) == (20.0, 40.0, 80.0, 40.0)
    assert span(0.5, (0.3, 0.9), 0.1, 0.25).high == 100.0


def test_a_day_that_is_not_of_the_week_is_still_shown():
    drawn = by_day([date(2025, 10, 14)], days(), {})
    assert len(drawn.labels) == 7


CONTRAST = """() => {
  const light = (c) => { const [r, g, b] = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const parse = (s) => s.match(/[\\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.tagName === 'title') continue;
    const style = getComputedStyle(e);
    const ink = light(parse(e instanceof SVGElement ? style.fill : style.color).slice(0, 3)), ground = light(behind(e));
    const ratio = (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05);
    if (ratio < 4.5) poor.push([e.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return poor;
}"""
"""Texts whose contrast is less than WCAG's AA wants, 4.5 to 1."""
