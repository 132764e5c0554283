"""What fer-audit is compared with: GhostFace in plain Keras and in PyTorch, trained as their users would."""
