"""What people do to Apps and sources: each a patch of the resource, in its dialect's words; the controller carries it out."""
