"""Messages to people and systems: providers, alerts, commit status."""
