"""The recipes of classifiers that ship."""
