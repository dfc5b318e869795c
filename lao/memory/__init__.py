"""Memory: AGENTS.md files and learned facts. Text for prompts; it changes no permission and no setting."""
