"""masquerade replaces the faces in photos and videos by faces of people who do not exist."""

from __future__ import annotations

from masquerade.anonymizer import Anonymizer
from masquerade.errors import MasqueradeError
from masquerade.types import Face, Result
from masquerade.version import __version__

__all__ = ["Anonymizer", "Face", "MasqueradeError", "Result", "__version__"]
