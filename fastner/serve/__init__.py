"""Tagging over HTTP: an ASGI service that tags requests together (extra `serve`).

`create_app` makes it of a tagger; `fastner.serve.app:app` is the one that environment variables
describe, for `uvicorn` and for `fastner serve`.
"""

from fastner.serve.service import create_app
from fastner.serve.settings import Settings

__all__ = ["Settings", "create_app"]
