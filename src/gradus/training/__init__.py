"""Training: batches, the task, the loop, checkpoints."""
