"""Sizes of the published networks, measured on their reference implementations."""

from __future__ import annotations

PARAMETERS = {
    "edrnet": 39_308_097,
    "edrnet-no-cbam": 39_145_301,
    "cat-ednet": 125_118_805,
    "cat-ednet-n5l2": 78_832_981,
    "basnet": 87_060_360,
    "u2net": 44_009_869,
    "u2netp": 1_131_181,
    "pfanet": 16_184_999,
    "scfnet": 788_298,
    "scfnet-resnet50": 26_093_508,
    "csnet-x1": 210_985,
    "csnet-x1.2": 298_633,
    "csnet-x1.5": 455_631,
    "csnet-x1.8": 645_565,
    "csnet-x2": 788_631,
    "csnet-l-x1": 93_647,
    "csnet-l-x2": 140_894,
}

GIGA_MACS = {
    ("edrnet", 224): 32.01,
    ("edrnet", 256): 41.80,
    ("edrnet-no-cbam", 224): 32.00,
    ("edrnet-no-cbam", 256): 41.80,
    ("cat-ednet", 224): 39.17,
    ("cat-ednet", 256): 51.16,
    ("cat-ednet-n5l2", 224): 35.36,
    ("cat-ednet-n5l2", 256): 46.18,
    ("basnet", 224): 97.24,
    ("basnet", 256): 127.00,
    ("u2net", 320): 58.60,
    ("u2netp", 320): 19.76,
    ("pfanet", 256): 32.66,
    ("scfnet", 352): 0.2391,
    ("scfnet-resnet50", 352): 13.087,
    ("csnet-x1", 224): 0.433,
    ("csnet-x1.2", 224): 0.602,
    ("csnet-x1.5", 224): 0.899,
    ("csnet-x1.8", 224): 1.255,
    ("csnet-x2", 224): 1.516,
    ("csnet-l-x1", 224): 0.284,
    ("csnet-l-x2", 224): 0.496,
}
"""By name and side of the square image."""
