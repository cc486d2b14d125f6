"""Kubernetes decides: who may do what is its RBAC, and each call is made as the person who asks."""
