"""Takes docs/screenshot.png: the page's answer to one of the drawn samples.

python docs/screenshot.py [--sample went_first] [--theme light]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.memory import FLAGS, GALLERY, app, chromium, show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", default="went_first", help="a file of assets/gallery, without its ending")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("screenshot.png"))
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with app() as (address, _), sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = window.new_page(viewport={"width": 1280, "height": 800}, color_scheme=args.theme)
        page.set_default_timeout(180_000)
        page.goto(address)
        show(page, GALLERY / f"{args.sample}.webp")
        page.locator("[data-test-script-state=notRunning]").wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(3000)  # charts settle
        page.screenshot(path=args.out)
        window.close()


if __name__ == "__main__":
    main()
