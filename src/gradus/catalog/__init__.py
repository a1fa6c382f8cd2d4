"""Catalogues: documents, queries and their fields, read, validated and generated."""
