"""Re-rankers: second stages, measured so that a first stage can be shown to do without them."""
