"""Generated sample catalogues."""
