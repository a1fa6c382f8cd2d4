"""Objectives: pure functions from logits and weights to a loss."""
