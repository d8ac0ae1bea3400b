"""Frames in, findings out: edges, tiles, segmentation, components."""
