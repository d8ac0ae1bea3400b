"""Thumbnails on their way into the page: a picture and nothing else."""

from __future__ import annotations

import base64
import binascii

JPEG_START = b"\xff\xd8\xff"
MAX_JPEG_BYTES = 64 * 1024
"""A thumbnail has at most 4 KB; far above that it is no thumbnail and would only swell the page."""


def picture_url(thumbnail: str) -> str | None:
    """A thumbnail as a data URL, None when it is not a small JPEG in strict base64.

    The text comes out of a record, so it is decoded and encoded again: nothing but base64 reaches the page.
    """
    try:
        data = base64.b64decode(thumbnail, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not data.startswith(JPEG_START) or len(data) > MAX_JPEG_BYTES:
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
