"""Grades that people gave: read, checked for agreement, and combined into scores."""
