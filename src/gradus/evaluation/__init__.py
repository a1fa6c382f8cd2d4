"""Evaluation: metrics, runs, splits, significance, comparison."""
