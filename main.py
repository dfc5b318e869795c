"""Runs LAO from a checkout without installing it: ``python main.py status``."""

import sys

from lao.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
