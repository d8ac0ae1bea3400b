"""From frames to findings, from findings to defect events, from events to the coil report."""
