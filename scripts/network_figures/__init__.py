"""Figures of the networks drawn from the code: run a network, group what it computes, lay it out, draw it."""
