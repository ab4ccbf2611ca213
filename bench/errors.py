"""The one exception of the framework for what a user can mend."""


class InputError(ValueError):
    """Wrong input; the message is one sentence that says what to do."""
