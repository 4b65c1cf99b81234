"""Keeps secrets out of logs and reports, whatever put them into a message.

One redactor is made from the settings and shared by the log formatter and the lifecycle.
"""

from usher_models.redaction import MASK, Redactor

__all__ = ["MASK", "Redactor"]
