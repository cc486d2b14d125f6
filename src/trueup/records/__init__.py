"""History in a database: syncs, drifts, heals, prunes, failures, manifests by content."""
