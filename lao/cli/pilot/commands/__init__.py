"""The slash commands: one registry, each run by the functions that the command line uses. No model is asked here."""
