"""Where frames come from: folders of images, videos, the simulated coil.

A source is made for one coil. `CoilSource` merges the feeds of its cameras in strip order; each module beside
it knows one kind of feed.
"""
