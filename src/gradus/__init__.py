"""Gradus: first-stage multimodal search trained on graded evidence."""

__version__ = "0.1.0"
