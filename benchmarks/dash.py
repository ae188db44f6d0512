"""How soon the page shows something, on a ledger of a given size.

    python benchmarks/dash.py [--requests 100000] [--tries 5]

A real headless Chromium opens the first view of a real gate on this machine, each time with an empty cache. `first paint` is the
browser's own first contentful paint; `figures` is the moment at which the view's figures stand on the page, counted by the gate
and drawn. Both are milliseconds from the start of the navigation. `overview` is how long the gate took for the figures alone.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dash"))

from page_gate import served
from page_ledger import week_of_requests, write_ledger
from playwright.sync_api import sync_playwright

PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
FIGURES = """() => new Promise((resolve) => {
  const look = () => document.querySelector('.headline') ? resolve(performance.now()) : setTimeout(look, 2);
  look();
})"""


def measure(browser, url):
    """Milliseconds to the first paint and to the figures."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}/dash/", wait_until="commit")
    figures = page.evaluate(FIGURES)
    painted = page.evaluate(PAINTED)
    while painted is None:
        page.wait_for_timeout(10)
        painted = page.evaluate(PAINTED)
    context.close()
    return painted, figures


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tries", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(HEADGATE_DATA=str(folder / "data"), TEST_KEY="not-a-key")
        began = time.perf_counter()
        write_ledger(folder / "ledger.db", week_of_requests(asked.requests, time.time() - 60, days=14))
        print(f"{asked.requests:,} requests written in {time.perf_counter() - began:.0f} s")
        with served(folder, folder / "ledger.db") as url, sync_playwright() as playwright:
            counted = []
            for _ in range(asked.tries):
                began = time.perf_counter()
                urllib.request.urlopen(f"{url}/admin/overview").read()
                counted.append((time.perf_counter() - began) * 1000)
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            tries = [measure(browser, url) for _ in range(asked.tries)]
            browser.close()
    for title, values in (
        ("overview", counted),
        ("first paint", [painted for painted, _ in tries]),
        ("figures", [figures for _, figures in tries]),
    ):
        print(f"{title:<12} median {statistics.median(values):7.0f} ms   worst {max(values):7.0f} ms")


if __name__ == "__main__":
    main()
