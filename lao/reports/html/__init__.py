"""Reports as pages: one self-contained HTML file for a plan, one for a night. Draws what ``lao.reports.model`` holds.

Nothing is loaded from anywhere, all text is escaped, and every statement carries ``data-refs``, the rows behind it.
Reads neither state nor git: patches are handed in (``lao.reports.patches``).
"""

from lao.reports.html.night import night_page
from lao.reports.html.plan import plan_page

__all__ = ["night_page", "plan_page"]
