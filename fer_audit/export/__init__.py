"""Models of finished runs in the formats of others, with a model card."""
