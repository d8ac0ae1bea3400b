"""Findings joined into defect events; coverage, holes and the grade of a coil."""
