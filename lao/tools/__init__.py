"""What a model may do: the tools, the path guard, the dispatcher. Imports nothing of the agents."""
