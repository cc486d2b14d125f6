"""Live trees of Apps: their objects and what these own, kept current by watches, told to servers as a stream."""
