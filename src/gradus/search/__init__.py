"""Search: exact search over an embedded catalogue."""
