"""Logging in with what a cloud gives to whoever runs there, in place of a password in a Secret."""
