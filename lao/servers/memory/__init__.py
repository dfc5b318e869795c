"""How much memory is free for models: probes for each kind of machine. Decides nothing."""
