"""The Pilot in the terminal: the input line, what it shows, its commands. Calls ``workflows.pilot`` and no model."""
