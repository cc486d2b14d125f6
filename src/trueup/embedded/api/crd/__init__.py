"""CustomResourceDefinitions: what they serve, whether their names are free, and the end of their objects."""
