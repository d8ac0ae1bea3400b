"""What is measured: speed and memory, as ratios within one run, on whatever machine this is."""
