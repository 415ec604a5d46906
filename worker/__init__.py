"""Background work: `python -m worker` runs the jobs, `worker.relay` rings for them, `worker.schedule` is the clock."""
