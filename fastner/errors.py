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
