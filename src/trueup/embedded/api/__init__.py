"""The embedded Kubernetes' API: the real server's verbs, rules and messages over the store."""
