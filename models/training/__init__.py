"""Training: recipes, resumable state, the loop, and scoring on held-out samples."""
