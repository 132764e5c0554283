"""Grad-CAM of a trained network, and what is measured on its heat maps; only `grad_cam` imports TensorFlow."""
