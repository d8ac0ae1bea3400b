"""Pruning CSNet by its trained scales: which channels stay, the smaller network, its statistics made anew."""

from models.pruning.selection import KeptChannels, select, threshold_for
from models.pruning.statistics import reestimate
from models.pruning.surgery import prune

__all__ = ["KeptChannels", "prune", "reestimate", "select", "threshold_for"]
