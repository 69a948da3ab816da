"""What the hub's refusals mean, as sentences with their cure."""

from __future__ import annotations

from typing import Any, Protocol

from labkit.models.catalogue import CatalogueEntry
from labkit.models.storage import SourceFailed
from labkit.units import format_bytes, format_seconds

_NAME_PROBLEMS = ("Name or service", "name resolution", "getaddrinfo", "nodename nor servname", "No address")
#: a server that asks for a longer pause is left alone
LONGEST_WAIT_SECONDS = 30.0


class WantedFile(Protocol):
    """What the hub was asked for: a catalogue entry, or any file of any repository."""

    @property
    def repo(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def revision(self) -> str: ...


def no_answer(address: str, how: str) -> SourceFailed:
    """For a hub that cannot be reached; `how` ends the sentence "The hub (address) ..."."""
    return SourceFailed(
        f"The hub ({address}) {how}.",
        "Check the connection to the internet; behind a company's proxy set HTTPS_PROXY; for another hub set "
        "HF_ENDPOINT.",
        unreachable=True,
        retry_after=1.0,
    )


def not_a_hub(address: str) -> SourceFailed:
    """For an answer without the hub's headers: a web page with status 200, as proxies give."""
    return SourceFailed(
        f"Something else than the hub answered at {address}: a proxy, a firewall or a login page.",
        "Open any web page in a browser, log in to the network if it asks you to, and try again. "
        "If HF_ENDPOINT is set, check that it is the address of a hub.",
    )


def other_file(entry: CatalogueEntry, address: str) -> SourceFailed:
    """For a file that is not the pinned one."""
    return SourceFailed(
        f"{address} has another file under {entry.repo}/{entry.filename} than the one the course was written "
        f"with ({format_bytes(entry.bytes)}, SHA-256 {entry.sha256[:12]}…).",
        "If HF_ENDPOINT is set, unset it. If you want the other file, download it yourself and use "
        "`lk.local_model(path)`.",
    )


def sentence_for(error: Exception, entry: WantedFile, address: str) -> SourceFailed:
    """The sentence for whatever huggingface_hub raised."""
    response = getattr(error, "response", None)
    if response is not None:
        return sentence_for_status(response, entry, address)
    name, text = type(error).__name__, str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return SourceFailed(
            f"The hub ({address}) was reached, but its certificate is not trusted here, as happens behind a "
            "company's proxy.",
            "Set SSL_CERT_FILE to your company's certificate file.",
        )
    if name == "ProxyError":
        return SourceFailed(
            "The proxy that HTTPS_PROXY names refused the connection to the hub.",
            "Correct or unset HTTPS_PROXY.",
            unreachable=True,
        )
    if "Timeout" in name:
        how = "did not answer in time"
    elif any(sign in text for sign in _NAME_PROBLEMS):
        how = "cannot be reached: its name cannot be looked up"
    elif "refused" in text.lower():
        how = "cannot be reached: the connection is refused"
    elif name == "RemoteProtocolError":
        how = "ended the connection too early"
    elif name in ("ConnectError", "NetworkError", "ReadError", "gaierror"):
        how = f"cannot be reached ({_short(text)})"
    elif isinstance(error, OSError):
        how = f"cannot be reached ({_short(error.strerror or text)})"
    else:
        return SourceFailed(
            f"The hub ({address}) could not be asked: {_short(text) or name}.",
            "If HF_ENDPOINT or a proxy is set, check that address.",
        )
    return no_answer(address, how)


def sentence_for_status(response: Any, entry: WantedFile, address: str) -> SourceFailed:
    """The sentence for an HTTP status that is an error."""
    status = response.status_code
    code = response.headers.get("X-Error-Code", "")
    page = f"{address}/{entry.repo}"
    if code == "GatedRepo":
        return SourceFailed(
            f"{entry.repo} is gated: its licence must be accepted on the hub before the file can be fetched.",
            f"Open {page}, accept the terms, then run `hf auth login` or set HF_TOKEN, and try again.",
        )
    if status in (401, 403) or code == "RepoNotFound":
        return _refused(response, entry, page)
    if code == "RevisionNotFound":
        return SourceFailed(
            f"{entry.repo} has no revision {entry.revision or 'main'}: it was moved or deleted.",
            f"Look at {page} and correct the revision, in your command or in the catalogue.",
        )
    if code == "EntryNotFound":
        return SourceFailed(
            f"{entry.repo} has no file {entry.filename} (any more).",
            f"Look at {page} and correct the file name, in your command or in the catalogue.",
        )
    if status == 404:
        return SourceFailed(
            f"{address} answered 404 for {entry.repo}: it has no such model, or it is not a hub.",
            "If HF_ENDPOINT is set, check that address, or unset it.",
        )
    if status == 429:
        seconds = retry_after_seconds(response)
        wait = format_seconds(seconds) if seconds else "a few minutes"
        return SourceFailed(
            f"The hub ({address}) refuses for now: too many requests from your address (429).",
            f"Wait {wait} and try again. With an account (`hf auth login`) the limit is higher.",
            retry_after=seconds if 0 < seconds <= LONGEST_WAIT_SECONDS else None,
        )
    if status >= 500:
        return SourceFailed(
            f"The hub ({address}) has a fault of its own ({status}).",
            "Try again in a few minutes.",
            retry_after=1.0,
        )
    return SourceFailed(
        f"The hub ({address}) answered with status {status}.", "Try again later, or use another model."
    )


def retry_after_seconds(response: Any) -> float:
    """Seconds that a 429 asks to wait; 0 when it does not say."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdigit() else 0.0


def _refused(response: Any, entry: WantedFile, page: str) -> SourceFailed:
    sent_a_token = "authorization" in getattr(getattr(response, "request", None), "headers", {})
    if sent_a_token:
        return SourceFailed(
            f"The hub refused your token for {entry.repo} ({response.status_code}): it has expired, or it "
            "may not read this model, or there is no such model.",
            "Renew it with `hf auth login`, or unset HF_TOKEN to go on without one.",
        )
    return SourceFailed(
        f"The hub does not show {entry.repo} without an account ({response.status_code}): it is private, "
        "gated, or gone.",
        f"Look at {page}; if you may use it, run `hf auth login` or set HF_TOKEN, and try again.",
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:120].rstrip(".")
