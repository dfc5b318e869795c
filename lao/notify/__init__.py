"""Messages to a person who is not looking: what one says, and the ways it goes. Decides nothing about when."""
