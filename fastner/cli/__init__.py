"""The command line `fastner`: tag, evaluate, info, plot, train, export, verify, serve."""

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """As `fastner.cli.app.main`; imports it first, most of the start, with Ctrl-C as quiet."""
    try:
        from fastner.cli import app
    except KeyboardInterrupt:
        return 130
    return app.main(argv)
