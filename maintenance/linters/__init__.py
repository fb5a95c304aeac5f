"""Public linters of Kubernetes manifests. They are pinned and cached, and their results are read into one form."""
