"""The service that environment variables describe: `uvicorn fastner.serve.app:app`."""

import os

from fastner.serve.service import create_app
from fastner.serve.settings import Settings

app = create_app(settings=Settings.of_environment(os.environ))
