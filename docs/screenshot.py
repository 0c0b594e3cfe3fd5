"""Takes docs/screenshot.png: the page Meme with the analysis of one of the samples.

python docs/screenshot.py [--sample went_first] [--theme light]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import GALLERY, app
from benchmarks.memory import browser_page, show


def main() -> None:
    """Start the app, upload the sample, save the picture of the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", default="went_first", help="a file of assets/gallery, without its ending")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("screenshot.png"))
    args = parser.parse_args()
    with app() as (address, _), browser_page(color_scheme=args.theme) as page:
        page.goto(address)
        show(page, GALLERY / f"{args.sample}.webp")
        page.locator("[data-test-script-state=notRunning]").wait_for()
        page.mouse.move(0, 0)
        page.wait_for_timeout(3000)  # charts settle
        page.screenshot(path=args.out)


if __name__ == "__main__":
    main()
