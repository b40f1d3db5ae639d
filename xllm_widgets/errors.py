"""Errors a person can put right: one sentence saying what was wrong and what to do."""


class XllmError(Exception):
    """Base of every error the package raises on purpose; its text is meant to be read by a student."""


class ModelNotFound(XllmError):
    """No bundled model, folder or reachable hub model has this name."""


class CorruptModel(XllmError):
    """A model's files are incomplete or damaged."""


class PromptError(XllmError):
    """A prompt is empty, or longer than the model's context."""


class LabelError(XllmError):
    """Label words cannot be told apart by this model (empty, identical, or sharing a first token)."""


class MissingSight(XllmError):
    """A study needs a view into the model (log-probabilities, activations, gradients) that this model lacks."""
