"""The embedded Kubernetes: API server, garbage collector, simulated workloads, and a Git server beside it."""
