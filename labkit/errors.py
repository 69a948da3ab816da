"""The one exception that a learner is meant to read."""

from __future__ import annotations


class LabError(Exception):
    """A problem told as a sentence, with its cure.

    Parameters
    ----------
    what : one or two plain sentences: what happened.
    cure : what to do about it, as an instruction. Empty when there is nothing to do.

    In a notebook it shows as those sentences, without a traceback.
    """

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what, cure)
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.what}\n{self.cure}" if self.cure else self.what

    def _render_traceback_(self) -> list[str]:
        """IPython calls this in place of its own traceback."""
        return str(self).splitlines()
