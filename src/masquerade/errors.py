"""The errors that a user of masquerade can meet: one sentence each, saying what to do."""


class MasqueradeError(Exception):
    """Anything that a user's input can cause; the command line prints it and goes on with exit code 2."""


class UnreadableInput(MasqueradeError):
    """A photo or clip that cannot be read: missing, damaged, of an unknown format, or too large."""


class UnwritableOutput(MasqueradeError):
    """An output that cannot or must not be written: no room, no permission, already there, equal to an input."""


class DamagedWeights(MasqueradeError):
    """A network's file that is missing or does not have the checksum that it was shipped with."""
