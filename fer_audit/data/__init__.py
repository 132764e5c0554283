"""Datasets: rows of face images with labels, subjects and attributes, and the splits made of them."""
