"""The user's own programs and functions around tools, phases and plans (docs/hooks.md)."""
