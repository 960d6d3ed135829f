"""A file or a data frame against a training profile: the sidecar's report without a sidecar."""
