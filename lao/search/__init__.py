"""Search in a workspace: which files it has, an index of them in SQLite, ranks by words and meaning, a map by tags."""
