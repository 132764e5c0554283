"""Models: GhostFace and the baselines that it is compared with, one a file."""
