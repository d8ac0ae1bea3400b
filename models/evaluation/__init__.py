"""Folders of saliency maps against folders of masks: pairing, figures, tables, curves, the worst images."""

from models.evaluation.folders import FolderEvaluation, evaluate_pairs
from models.evaluation.pairs import Pair, check_pairs, find_pairs, load_pair

__all__ = ["FolderEvaluation", "Pair", "check_pairs", "evaluate_pairs", "find_pairs", "load_pair"]
