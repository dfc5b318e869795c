"""What measures the Pilot's terminal: a worker that answers at a given pace, and a keyboard."""
