"""What scripts/screens.py takes pictures of: servers, projects and stories. Tests of whole sessions use them too."""
