"""What ``lao benchmark`` carries out: trials on the simulated server, exercises on the user's, records of both."""
