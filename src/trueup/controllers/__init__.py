"""The loops that bring it together: sources, Apps, drift, leases, state across restarts."""
