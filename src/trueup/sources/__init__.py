"""Where declarations come from: Git mirrors now, registries and buckets later. Each gives Snapshots."""
