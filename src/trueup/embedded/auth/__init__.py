"""Who may speak to the embedded Kubernetes: certificates, tokens, kubeconfigs, and RBAC."""
