"""Accuracy of shipped networks on real steel, protocol by protocol, and the page that shows it."""
