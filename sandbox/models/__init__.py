"""Stands for the model servers of simulated pods: one process that answers as vLLM does, at a socket for each pod."""
