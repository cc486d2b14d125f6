"""The HTTP side of the controller: health, metrics, hooks; later the API, login and pages."""
