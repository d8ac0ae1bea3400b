"""Beside the cameras: frame and coil records, codecs, strip position, sources, simulation, publisher."""
