"""Labelled queries and generated repositories for the benchmark of search."""
