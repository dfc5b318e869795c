"""Mechanical judgement: what is checked without a model, and which commands decide."""
