"""Training images with masks, their splits and their augmentation."""
