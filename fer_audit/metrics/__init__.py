"""Metrics: pure NumPy on arrays; nothing here trains, reads a file or imports TensorFlow."""
