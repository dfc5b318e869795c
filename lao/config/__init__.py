"""factory.yaml: its schema, loading, precedence and provenance. ``Settings`` is what the rest of LAO sees."""
