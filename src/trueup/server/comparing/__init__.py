"""What a sync would change, asked of the controller that serves the App."""
