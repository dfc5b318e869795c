"""The cron expression of retry-failed."""

from __future__ import annotations

import datetime as dt

import pytest

from lao.core.errors import ConfigError
from workflows.cron import is_due


@pytest.mark.parametrize(
    ("expression", "at", "due"),
    [
        (None, dt.datetime(2030, 1, 1, 2, 30), False),
        ("30 2 * * *", dt.datetime(2030, 1, 1, 2, 30), True),
        ("30 2 * * *", dt.datetime(2030, 1, 1, 2, 31), False),
        ("*/15 * * * *", dt.datetime(2030, 1, 1, 9, 45), True),
        ("0 3 * * 0", dt.datetime(2030, 1, 6, 3, 0), True),
        ("0 3 * * 0", dt.datetime(2030, 1, 7, 3, 0), False),
    ],
)
def test_due_minutes(expression: str | None, at: dt.datetime, due: bool) -> None:
    """K3: retry-failed runs at the minutes of the expression, and never without one."""
    assert is_due(expression, at) is due


@pytest.mark.parametrize("expression", ["nightly", "1 2 3", "99 2 * * *"])
def test_a_wrong_expression_is_a_config_error(expression: str) -> None:
    """Bad input: the message names the key and gives an example."""
    with pytest.raises(ConfigError, match="retry_failed_cron"):
        is_due(expression, dt.datetime(2030, 1, 1))
