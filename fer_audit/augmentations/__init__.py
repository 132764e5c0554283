"""Augmentations: what is done to a batch of training images and labels, one a file."""
