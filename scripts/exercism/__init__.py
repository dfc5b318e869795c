"""The parts of ``bench_exercism.py``: exercises, projects, runs, the judge, the baseline, results. Tunes nothing."""
