"""Takes a picture of the first screen of a report: `python experiments/first_screen.py reports/example`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZE = {"width": 1400, "height": 1180}


def main(folder: Path) -> None:
    """Writes `first-screen.png` beside the `report.html` in `folder`; needs Debian's chromium."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto((folder / "report.html").resolve().as_uri())
        page.wait_for_selector("html[data-drawn=yes]", state="attached")
        page.screenshot(path=folder / "first-screen.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
