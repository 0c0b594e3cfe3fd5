"""`python -m training fit | compare | evaluate | robustness | download | convert-emotic` (see `training/cli.py`)."""

import sys

from training.cli import main

if __name__ == "__main__":
    sys.exit(main())
