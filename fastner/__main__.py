"""`python -m fastner`: the command line, where the script `fastner` is not on the path."""

from fastner.cli import main

raise SystemExit(main())
