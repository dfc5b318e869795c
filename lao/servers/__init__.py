"""Which model is resident: server adapters, memory probes, the memory gate, the simulated server. No chat."""
