"""Engines: where trainings run. Every engine takes the same list and leaves the same artefacts."""
