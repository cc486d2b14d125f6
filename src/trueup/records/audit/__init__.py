"""The audit log: who changed what, chained so that tampering shows, and sent to where others keep it."""
