"""What a command that is run for a model may see, write, reach and use, and how each system is told so."""
