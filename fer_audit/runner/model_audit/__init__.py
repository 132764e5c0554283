"""Audits of models that were trained elsewhere: opened, asked and attacked as they are."""
