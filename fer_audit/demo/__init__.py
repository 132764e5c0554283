"""A local web page on which a model of a finished run is tried out."""
