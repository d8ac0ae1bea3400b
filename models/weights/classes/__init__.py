"""The classifiers that ship."""
