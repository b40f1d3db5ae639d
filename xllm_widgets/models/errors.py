"""What can go wrong inside a model beyond the errors that every part of the package shares."""

from ..errors import XllmError


class HookDidNotFire(XllmError):
    """A block that was to be read or edited took no part in the forward pass."""


class Interrupted(XllmError):
    """A computation was told to stop because its answer is no longer wanted."""


class OutOfMemory(XllmError):
    """Even a single row does not fit into the device's memory."""


class UnsupportedModel(XllmError):
    """The model's architecture, or what is asked of it, is outside what the package can read."""
