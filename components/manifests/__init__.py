"""Plain functions that make Kubernetes objects of a part of the plan, as dicts with Kubernetes' own field names."""
