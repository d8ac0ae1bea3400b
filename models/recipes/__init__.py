"""Recipes of training runs, one TOML file each."""
