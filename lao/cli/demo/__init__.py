"""The demo's plan and the scenario of its simulated server, as files."""
