"""What goes when something else goes: garbage collection, namespaces, expiry; and what every namespace has."""
