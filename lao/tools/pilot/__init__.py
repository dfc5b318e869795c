"""The tools of the Pilot: what a model reads of them. What they do is workflows' (``workflows.pilot_hands``)."""
