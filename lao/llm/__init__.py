"""Talking to models: the chat client, and the repair of what they answer. Knows no roles and no state."""
