"""``python -m lao``: the same as the ``lao`` command."""

import sys

from lao.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
