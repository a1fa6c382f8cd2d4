"""Logs made from a known truth, to hold estimators against."""
