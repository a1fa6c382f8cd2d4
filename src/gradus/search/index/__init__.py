"""Indexes: where documents' vectors lie, and how the nearest of them are found."""
