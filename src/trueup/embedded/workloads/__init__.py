"""Simulated workloads: what kube-controller-manager, a scheduler and kubelets do, without running anything."""
