"""The coil report as JSON, CSV and a self-contained page."""
