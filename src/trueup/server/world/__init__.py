"""What there is, kept current by watches: Apps and sources as rows to find, sort and follow."""
