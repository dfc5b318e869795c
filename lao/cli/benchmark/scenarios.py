"""All trials, in the order in which they are carried out."""

from __future__ import annotations

from typing import Final

from lao.cli.benchmark.bad_nights import BAD_NIGHTS
from lao.cli.benchmark.good_nights import GOOD_NIGHTS

SCENARIOS: Final = (*GOOD_NIGHTS, *BAD_NIGHTS)
