"""fer-audit's own side of each comparison."""
