"""The frame of the HTTP API: one table of operations, from which routes, authorisation, audit and documentation derive."""
