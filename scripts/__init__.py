"""One command each; the Python behind those that need more than a few lines."""
