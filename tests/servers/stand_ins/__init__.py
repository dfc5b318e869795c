"""Stand-in servers: small, real HTTP, with the states and error bodies of servers that cannot run in tests."""
