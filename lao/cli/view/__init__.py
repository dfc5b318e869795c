"""The run view: what ``lao run`` shows on a terminal while it works."""
