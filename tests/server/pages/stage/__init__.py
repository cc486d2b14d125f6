"""A stage for the pages: the real frame of the API before a world that is made up, the same each time, and changes when a test says so."""
