"""Show a page in place of the sign-in form to a frame without a session: browsers never show our forms in frames (ASVS
3.4.6)."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from entrypoints.web.origins import FRAMES
from entrypoints.web.pages import Pages
from entrypoints.web.problems import Problem

SCRIPT: Final = (
    "const { back } = document.currentScript.dataset;"
    "const loads = () => back ? location.replace(back) : location.reload();"
    'new BroadcastChannel("gradioapp").onmessage = loads;'
    'document.addEventListener("visibilitychange", () => {'
    ' if (document.visibilityState === "visible") loads(); });'
)
"""Load the frame again when the user comes back, and when `session.js` says in another tab that a page was opened. After a
sign-out, `data-back` is the address of the app."""
_HASH: Final = b64encode(sha256(SCRIPT.encode()).digest()).decode()


def policy_in_frames(framers: Sequence[str]) -> str:
    """Return the policy of our own pages in frames, which have `SCRIPT`, links, and no forms."""
    return (
        f"default-src 'none'; script-src 'sha256-{_HASH}'; style-src 'self'; img-src 'self' data:; "
        "form-action 'none'; manifest-src 'self'; base-uri 'none'; object-src 'none'; "
        f"frame-ancestors {' '.join(framers)}"
    )


class SignedOutFrames:
    """The page for frames without a session. It is the same at every address, so that strangers cannot find out which
    pages may be framed."""

    def __init__(self, pages: Pages, framers: Sequence[str]) -> None:
        """`framers` are the sources of all sites whose frames may show a page of this service."""
        self._pages = pages
        self._framers = framers
        self._policy = policy_in_frames(framers)

    def has(self, headers: Mapping[bytes, str]) -> bool:
        """Return whether the response to this request is for such a frame."""
        return bool(self._framers) and headers.get(b"sec-fetch-dest") in FRAMES

    def problem(
        self,
        headers: Mapping[bytes, str],
        *,
        sign_in: str,
        page: str,
        forget: Mapping[str, str],
    ) -> Problem:
        """Return the page as a 401 with links to `sign_in` and to `page`. In a frame on another site, which never gets a
        cookie, only with that to `page`. Nobody can tell here whether a page of another site is around the one of this
        site: then no cookie arrives either. `forget` are headers."""
        is_on_same_site = headers.get(b"sec-fetch-site") != "cross-site"
        return Problem(
            status=401,
            kind="session-ended",
            title="Sign in first",
            headers={"content-security-policy": self._policy, **forget},
            page=self._pages.render(
                "frame.html",
                sign_in=sign_in,
                page=page,
                is_on_same_site=is_on_same_site,
                script=SCRIPT,
            ),
        )
