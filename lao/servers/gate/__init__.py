"""The memory gate and its rooms: makes a role's model the one large model in memory, or says why not."""
