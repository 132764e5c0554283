"""The charts of the page, one a file; each function returns a plotly figure and can be used in a notebook."""
