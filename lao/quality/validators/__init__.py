"""Validators: small checks of a change without a model, each with an id, a kind and a confidence; see registry.py."""
