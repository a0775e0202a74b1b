"""Texts of the errors that the client itself can meet, by code; the codes are those of docs/errors.md."""

from __future__ import annotations

_DAEMON = "Start it with `assay serve` (in a checkout: `npm run assay -- serve`), or set ASSAY_URL to where it runs."
_TOKEN = "Pass the token the daemon was started with as token=, or set ASSAY_TOKEN_FILE or ASSAY_TOKEN."

ERRORS: dict[str, dict[str, str]] = {
    code: {"message": message, "fix": fix}
    for code, message, fix in (
        ("BAD_REQUEST", "the request does not fit: {reason}", "Correct the named argument."),
        (
            "BODY_TOO_LARGE",
            "the message is larger than {maxBytes} bytes",
            "Send a smaller image, or raise limits.maxBodyBytes in the config of the daemon.",
        ),
        ("CONFIG_INVALID", "{source}: {key} is {found}; expected {expected}", "Correct the value."),
        (
            "DAEMON_UNKNOWN",
            "{url} answers, but not as the Assay daemon: {found}",
            "Set ASSAY_URL to the address that `assay serve` prints.",
        ),
        ("DAEMON_UNREACHABLE", "the Assay daemon does not answer at {url}: {reason}", _DAEMON),
        ("DEADLINE", "no score within {timeoutMs} ms", "Send again what has no score, or raise timeout=."),
        ("FILE_NOT_FOUND", "no such file or folder: {path}", "Check the path."),
        ("FILE_UNREADABLE", "cannot read {path}: {reason}", "Check the permissions of the file and its folder."),
        (
            "HOST_REFUSED",
            'host "{host}" is not one this daemon answers to',
            "Use the address it printed, or add the name to allowedHosts in its config.",
        ),
        ("IMAGE_EMPTY", "the image has no bytes: {name}", "Send the whole file; it may not have been written yet."),
        ("IMAGE_SHAPE", "{name} is not an image or a batch of images: {found}", "{remedy}"),
        ("IMAGE_VALUES", "the values of {name} are not 0 to 1: {found}", "{remedy}"),
        ("INTERNAL", "unexpected failure: {reason}", "This is a bug in Assay: please report it."),
        (
            "NO_REWARD",
            "image {id} has no reward: {reason}",
            'Choose what it shall mean: missing="nan", "worst" or a number.',
        ),
        (
            "PYTHON_PACKAGE_MISSING",
            "the Python package {package} is not installed",
            "Run `python -m pip install {package}`.",
        ),
        (
            "TOKEN_UNREADABLE",
            "cannot take the token from {path}: {reason}",
            "The file must hold the token and nothing else, and be readable by this user.",
        ),
        ("UNAUTHORIZED", "this daemon asks for a token, and for another one than it got", _TOKEN),
    )
}
