"""A real browser in front of real gates. Whatever a page does wrong (an error on its console, a request elsewhere) fails its test."""

import os
import shutil
import time
from urllib.parse import urlsplit

import pytest
from page_gate import served
from page_ledger import week_of_requests, write_audits, write_ledger, write_pairs

REQUESTS = 1_200
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="session")
def chromium():
    """Where the browser is. A machine without one skips these tests, but a build must not."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        told = "there is no Chromium on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return path


@pytest.fixture(scope="module")
def browser(chromium):
    """Closed with each file: while it is open it has an event loop on this thread, and tests with loops of their own could not run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("page")
    before = {name: os.environ.get(name) for name in ("HEADGATE_DATA", "TEST_KEY")}
    os.environ.update(HEADGATE_DATA=str(made / "data"), TEST_KEY="not-a-key")
    yield made
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module")
def gate(folder):
    """A gate with three weeks of requests behind it."""
    path = folder / "ledger.db"
    write_ledger(path, week_of_requests(REQUESTS, time.time() - 60, days=21))
    write_audits(path)
    write_pairs(path)
    with served(folder, path) as url:
        yield url


@pytest.fixture(scope="module")
def empty_gate(folder):
    """A gate that nobody has asked anything."""
    with served(folder, folder / "empty.db") as url:
        yield url


class Visit:
    """A tab of the browser at one gate, and what went wrong in it."""

    def __init__(self, context, url):
        self.context = context
        self.url = url
        self.page = context.new_page()
        self.wrong = []
        self.expected = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message):
        if message.type in ("error", "warning") and not any(word in message.text for word in self.expected):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked {request.url}")

    def go(self, view):
        """Open a view: "overview", "requests?task=code"."""
        self.page.goto(f"{self.url}/dash/#/{view}")
        self.settled()
        return self.page

    def settled(self):
        """Wait until what was asked for is there."""
        from playwright.sync_api import expect

        self.page.wait_for_selector("h1")
        expect(self.page.locator(".wait")).to_have_count(0)


@pytest.fixture
def visit(browser):
    """visit(gate, size="desk", theme="light") opens a tab; its console must stay empty until the end of the test."""
    visits = []

    def opener(url, size="desk", theme="light", **more):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **more
        )
        visits.append(Visit(context, url))
        return visits[-1]

    yield opener
    wrong = [said for visit in visits for said in visit.wrong]
    for one in visits:
        one.context.close()
    assert not wrong
