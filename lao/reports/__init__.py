"""What the morning after reads: the state of a plan, or of a night, as statements that each name their rows."""
