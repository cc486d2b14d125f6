"""The web pages: plain ES modules in `static/`, served so that a browser may keep them for good and run nothing else."""
