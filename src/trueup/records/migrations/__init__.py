"""The schema's history. Each change of `tables` is a new file in `versions`; files that were released never change."""
