"""The model catalogue: presets per role, as YAML, and their loader."""
