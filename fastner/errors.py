"""The error tree: every error that fastner raises on purpose is a FastnerError."""


class FastnerError(Exception):
    """Base of all errors raised by fastner."""


class InputError(FastnerError, ValueError):
    """Data handed in does not have the expected type, shape or format."""


class BundleError(FastnerError, ValueError):
    """A model directory is damaged, unsafe, or of an unknown format."""


class DeviceError(FastnerError, RuntimeError):
    """The device asked for is not available."""


class DependencyError(FastnerError, ImportError):
    """An optional dependency is not installed; the message gives the pip command."""


class TrainingError(FastnerError, RuntimeError):
    """Training or export cannot go on."""


def install_hint(extras: str) -> str:
    """What to run for optional packages, as an error says it: extras are names with commas between.

    fastner is on no index, so the name of its distribution is never given to pip: whoever owned
    that name would decide what is installed. A clone is what works.
    """
    from pathlib import Path  # which takes longer to import than this whole package

    clone = Path(__file__).resolve().parents[1]
    place = f"in {clone}" if (clone / "setup.py").is_file() else "in your clone of fastner"
    return f"run pip install -e '.[{extras}]' {place}"
