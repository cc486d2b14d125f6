"""The Kubernetes client: authentication, discovery, list and watch, apply, leases, and the live view."""
