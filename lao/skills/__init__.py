"""Skills: Markdown instructions in the Agent Skills format, found in folders, read on demand. They grant nothing."""
