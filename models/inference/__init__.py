"""Back ends that run a network on tiles: torch (the reference, and CUDA) and OpenVINO (fastest on CPUs)."""
