"""The error tree: each text is one sentence that tells the user what to do."""


class SubtextError(Exception):
    """Anything raised on purpose; its text is a sentence that a user can act on."""


class BadInput(SubtextError):
    """What the user gave cannot be used as it is."""


class BadPicture(BadInput):
    """The bytes are not a picture that can be opened safely."""


class BadCaption(BadInput):
    """The words cannot be read as a caption."""


class EmptyMeme(BadInput):
    """Neither a picture nor words were given."""


class BadWeights(SubtextError):
    """A folder in weights/ is missing, damaged or does not fit the code."""


class PartUnavailable(SubtextError):
    """One part (OCR, faces, ...) cannot run on this machine; the rest still can."""
