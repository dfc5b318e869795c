"""What each role thinks: planner, coder, reviewer. Works over Protocols; no HTTP, no SQL, no git."""
