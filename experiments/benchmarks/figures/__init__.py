"""The figures of the training benchmark, one a file; each prints a block as soon as it is known."""
