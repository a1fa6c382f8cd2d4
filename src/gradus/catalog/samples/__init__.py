"""Generated sample catalogues."""

from gradus.catalog.samples.drawings import DrawingsSummary, write_drawings

__all__ = ["DrawingsSummary", "write_drawings"]
