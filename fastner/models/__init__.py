"""The models that come with fastner, one directory each."""
