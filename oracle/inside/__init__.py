"""The half of the oracle that vLLM's own environment runs. It imports vLLM and nothing of this project but itself."""
