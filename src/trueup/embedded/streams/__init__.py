"""Streams over one connection, as `kubectl port-forward` opens them: SPDY/3.1, plain or inside WebSocket messages."""
