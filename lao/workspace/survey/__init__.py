"""The survey of a workspace: what can be said of it without a model, and what a model is shown of it."""
