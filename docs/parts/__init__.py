"""One module per kind of generated table. Each function gives Markdown that ends with a line break."""
