"""A small shop: the package that the tasks of bench_map are about."""
