"""Kept histories: projects as a kill -9 left them, of every released version. ``kept`` packs them and lays them out."""
