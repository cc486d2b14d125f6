"""An App as people see it, and what they ask of it: one shape for all dialects, shared by the API and the commands."""
