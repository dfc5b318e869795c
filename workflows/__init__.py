"""The Huey apps: queues, storage, the frame of a phase, one module per phase, reconciler, watcher, cron, supervisor."""
