"""The plans of a disturbed night, and what really came out of it."""
