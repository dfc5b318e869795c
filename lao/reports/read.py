"""Where callers get reports from the state. Owns nothing: the plan's is in plans.py, the night's in night.py."""

from lao.reports.night import last_night, night_report
from lao.reports.plans import plan_report, report_of

__all__ = ["last_night", "night_report", "plan_report", "report_of"]
