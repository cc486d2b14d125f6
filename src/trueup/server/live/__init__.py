"""What is asked of the cluster itself when a person asks: whole manifests, logs, events, changes of single objects."""
