"""Deep links: from an App, an object or a project into other systems, as `argocd-cm` declares them."""
