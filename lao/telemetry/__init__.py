"""OpenTelemetry spans made out of what the state has recorded (docs/telemetry.md)."""
