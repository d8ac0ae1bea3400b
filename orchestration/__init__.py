"""The outer shell: command line, settings, Ray Serve application, and the local stack."""
