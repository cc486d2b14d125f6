"""The embedded Kubernetes' storage: versioned objects, their history for watches, and a journal that survives a kill."""
