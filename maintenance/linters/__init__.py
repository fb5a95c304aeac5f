"""Public linters of Kubernetes manifests: pinned, kept in the cache, and read into one form."""
