"""What docs/guarantees promises: claims, the journal, recovery, back-off, crash points, child processes."""
