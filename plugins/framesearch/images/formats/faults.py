"""Why a picture was not decoded."""


class Refused(Exception):
    """A picture that is not read: the text completes a sentence that begins with the picture's name."""


class TooMuchMemory(Refused):
    """Decoding would take more memory than is allowed here."""
