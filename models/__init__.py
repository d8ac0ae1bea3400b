"""Segmentation networks of the predict-refine family: training, weights, and the Segmenter."""
