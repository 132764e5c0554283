"""Training: a program compiled once, the fits that share it, and the signals that they leave."""
