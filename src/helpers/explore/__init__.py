"""TODO: words."""
