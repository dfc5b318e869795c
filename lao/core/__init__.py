"""The words of the house: plans, tasks, findings, states, errors, time. Imports nothing of LAO."""
