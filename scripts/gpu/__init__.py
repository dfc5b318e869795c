"""Measurements of what the one GPU is used for: model swaps, idle time, scheduling at scale, requests at once.

See ``bench_gpu.py``.
"""
