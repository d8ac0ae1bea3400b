"""Losses of the predict-refine family."""

from models.losses.hybrid import HybridLoss, bce_loss, iou_loss, ssim_loss

__all__ = ["HybridLoss", "bce_loss", "iou_loss", "ssim_loss"]
