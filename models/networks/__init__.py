"""Networks that turn normalised images into saliency logits."""
