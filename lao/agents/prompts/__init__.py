"""Prompts and answer schemas, one file each; ``lao.agents.prompt`` loads them."""
