"""Metrics of saliency maps against masks, as the field computes them."""

from models.metrics.evaluation import Evaluation
from models.metrics.scores import Curves, ImageScores, SetScores

__all__ = ["Curves", "Evaluation", "ImageScores", "SetScores"]
