"""Losses of the field's networks, on logits, with deep supervision; each names its paper."""

from models.losses.boundary_dice import ScfnetLoss, boundary_dice_loss, boundary_thickness
from models.losses.dice import dice_loss
from models.losses.dynamic_decay import DynamicWeightDecay
from models.losses.edge_hold import EdgeHoldLoss, edge_loss, weighted_bce_loss
from models.losses.hybrid import HybridLoss, SsimPadding, iou_loss, ssim_loss
from models.losses.structure import StructureLoss, outline_weights, structure_loss
from models.losses.tile import TileLoss, tile_logits

__all__ = [
    "DynamicWeightDecay",
    "EdgeHoldLoss",
    "HybridLoss",
    "ScfnetLoss",
    "SsimPadding",
    "StructureLoss",
    "TileLoss",
    "boundary_dice_loss",
    "boundary_thickness",
    "dice_loss",
    "edge_loss",
    "iou_loss",
    "outline_weights",
    "ssim_loss",
    "structure_loss",
    "tile_logits",
    "weighted_bce_loss",
]
