"""fer-audit: what a facial-expression model leaks, and what it withstands."""

__version__ = "0.1.0"
