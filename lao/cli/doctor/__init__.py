"""What ``lao doctor`` looks at: one module a group; ``groups.py`` is their table. Nothing here prints or changes."""
