"""Deployments: ReplicaSets per template, scaled against each other until the newest has all replicas."""
