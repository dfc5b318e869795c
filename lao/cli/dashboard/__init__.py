"""The dashboard: the project at this moment as one JSON document (board), kept fresh (feed), shown (server)."""
