"""One adapter for each kind of model server: what it lists, how it loads and unloads. Decides nothing."""
