"""How fast a shape serves, as NVIDIA's tables of timed kernels have it; loaded only where a stack has an objective."""
