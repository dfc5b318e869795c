"""Calibration: short probes of one model on one server. Stores nothing; ``lao.core.profile`` says what is found."""
