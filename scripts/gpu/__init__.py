"""Measurements of what the one GPU is used for: model swaps, idle time, scheduling at scale. See ``bench_gpu.py``."""
