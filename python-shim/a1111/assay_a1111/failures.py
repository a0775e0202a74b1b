# A copy of python-shim/assay_client/link/failures.py, made by `npm run generate`.
"""What can go wrong, in the words of Assay's table of errors."""

from __future__ import annotations

from .errors import ERRORS


class AssayFailure(Exception):
    """No score, and why: `code` names the error, `fix` says what to do, `retry_after` seconds where waiting helps."""

    def __init__(self, code: str, message: str, fix: str = "", retry_after: float | None = None):
        super().__init__(f"{message} [{code}] {fix}".rstrip())
        self.code = code
        self.message = message
        self.fix = fix
        self.retry_after = retry_after

    def __reduce__(self):
        return type(self), (self.code, self.message, self.fix, self.retry_after)


def fail(code: str, **details: object) -> AssayFailure:
    """The error of a code, its texts filled from `details`."""
    texts = ERRORS[code]
    return AssayFailure(code, _filled(texts["message"], details), _filled(texts["fix"], details))


def from_answer(error: object) -> AssayFailure:
    """The error inside an answer of the daemon."""
    if not isinstance(error, dict):
        return fail("INTERNAL", reason="the daemon refused without saying why")
    wait = error.get("retryAfterMs")
    return AssayFailure(
        str(error.get("code", "INTERNAL")),
        str(error.get("message", "")),
        str(error.get("fix", "")),
        wait / 1000 if isinstance(wait, (int, float)) else None,
    )


def _filled(template: str, details: dict[str, object]) -> str:
    for key, value in details.items():
        template = template.replace(f"{{{key}}}", str(value))
    return template
