"""The embedded models, one directory each."""
