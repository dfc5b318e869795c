"""LAO: a local coding factory for one GPU. The version lives here and nowhere else."""

__version__ = "4.0.0"
