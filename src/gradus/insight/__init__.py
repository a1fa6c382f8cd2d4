"""Insight: the report."""
