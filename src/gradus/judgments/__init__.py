"""Judgments: evidence as scores with intervals, score-to-weight functions, splits."""
