"""The only SQL of LAO: tables, the one transition function, claims, journal rows, read-only queries, migrations."""
