"""Stands in for the model servers of simulated pods: one process answers as vLLM does, at one socket for each pod."""
