"""What a model's call may do: rules, modes and the denials that no rule lifts, and the reason that it is told."""
