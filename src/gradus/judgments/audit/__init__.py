"""Audit: what judgments rest on."""

from gradus.judgments.audit.build import Audit, audit, percent

__all__ = ["Audit", "audit", "percent"]
