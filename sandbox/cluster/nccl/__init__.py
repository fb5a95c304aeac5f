"""Google's two-node NCCL tests without GPUs: what is in their images, and a test that goes as it is told to."""
