"""What a page of another site can make a browser send: the tables of test_forged_requests.py here and in tests/ui.

The headers are those of a service at http://localhost. Facts and ideas come from Fetch, RFC 6265bis and what other
frameworks test.
"""

from typing import Final

Headers = list[tuple[str, str]]

HERE: Final = "http://localhost"
EVIL: Final = "https://evil.example"

OURS: Final[dict[str, Headers]] = {
    "fetch metadata of our page": [("sec-fetch-site", "same-origin"), ("origin", "null")],
    "an address that was typed": [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
    "our origin": [("origin", HERE)],
    "our origin in capitals": [("origin", "HTTP://LOCALHOST")],
    "our origin and a referer of no use": [("origin", HERE), ("referer", "about:blank")],
    "our referer": [("referer", f"{HERE}/gradio/?q=1#top")],
    "our referer without a path": [("referer", HERE)],
}

FOREIGN: Final[dict[str, Headers]] = {
    # Fetch metadata decides wherever it is sent.
    "cross-site": [("sec-fetch-site", "cross-site"), ("origin", EVIL)],
    "cross-site with our origin": [("sec-fetch-site", "cross-site"), ("origin", HERE)],
    "cross-site with our referer": [("sec-fetch-site", "cross-site"), ("referer", f"{HERE}/")],
    "a navigation of another site": [
        *(("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")),
        *(("sec-fetch-dest", "document"), ("sec-fetch-user", "?1")),
    ],
    "another host of our site": [("sec-fetch-site", "same-site"), ("origin", HERE)],
    "none without a mode": [("sec-fetch-site", "none"), ("origin", HERE)],
    "none of a script": [("sec-fetch-site", "none"), ("sec-fetch-mode", "cors")],
    "empty fetch metadata": [("sec-fetch-site", ""), ("origin", HERE)],
    "unknown fetch metadata": [("sec-fetch-site", "same-party"), ("origin", HERE)],
    "fetch metadata in capitals": [("sec-fetch-site", "Same-Origin"), ("origin", HERE)],
    "a list in fetch metadata": [("sec-fetch-site", "same-origin, same-origin")],
    "doubled fetch metadata": [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "same-origin"),
    ],
    # Else the origin.
    "another origin": [("origin", EVIL)],
    "an opaque origin": [("origin", "null")],
    "an empty origin": [("origin", "")],
    "another scheme": [("origin", "https://localhost")],
    "another port": [("origin", "http://localhost:8081")],
    "the port that browsers leave out": [("origin", "http://localhost:80")],
    "another loopback name": [("origin", "http://127.0.0.1")],
    "a host below ours": [("origin", "http://app.localhost")],
    "our name as a beginning": [("origin", "http://localhost.evil.example")],
    "our name as an end": [("origin", "http://evil-localhost")],
    "our name with a dot": [("origin", "http://localhost.")],
    "our name as a user": [("origin", "http://localhost@evil.example")],
    "our name as a password": [("origin", "http://x:localhost@evil.example")],
    "our name as a path": [("origin", f"{EVIL}/http://localhost")],
    "our name as a fragment": [("origin", f"{EVIL}#http://localhost")],
    "an origin with a path": [("origin", f"{HERE}/")],
    "an origin without a scheme": [("origin", "//localhost")],
    "only our name": [("origin", "localhost")],
    "two origins in one": [("origin", f"{HERE} {EVIL}")],
    "a list of origins": [("origin", f"{HERE}, {HERE}")],
    "our origin twice": [("origin", HERE), ("origin", HERE)],
    "our origin and another": [("origin", HERE), ("origin", EVIL)],
    "a file": [("origin", "file://")],
    "an extension": [("origin", "chrome-extension://abcdefghijklmnop")],
    "a name that looks like ours": [("origin", "http://xn--lcalhost-0ib")],
    "another origin with our referer": [("origin", EVIL), ("referer", f"{HERE}/login")],
    "an opaque origin with our referer": [("origin", "null"), ("referer", f"{HERE}/login")],
    "another origin and the header of a script": [
        ("origin", EVIL),
        ("x-requested-with", "XMLHttpRequest"),
    ],
    "another origin that a proxy is said to have": [
        *(("origin", EVIL), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")),
    ],
    # Else the referer.
    "another referer": [("referer", f"{EVIL}/")],
    "another referer and the header of a script": [
        ("referer", f"{EVIL}/"),
        ("x-requested-with", "XMLHttpRequest"),
    ],
    "our name in a referer's path": [("referer", f"{EVIL}/http://localhost/")],
    "our name in a referer's query": [("referer", f"{EVIL}/?http://localhost/")],
    "our name as a referer's user": [("referer", "http://localhost@evil.example/")],
    "our name as a referer's beginning": [("referer", "http://localhost.evil.example/")],
    "a referer of another scheme": [("referer", "https://localhost/login")],
    "a referer of another port": [("referer", "http://localhost:8081/login")],
    "a referer without a scheme": [("referer", "//localhost/login")],
    "a referer that is a path": [("referer", "/login")],
    "an empty referer": [("referer", "")],
    "a referer of no page": [("referer", "about:blank")],
    "a broken referer": [("referer", "http://[bad")],
    "a referer with a broken port": [("referer", "http://localhost:x/")],
    "our referer twice": [("referer", f"{HERE}/"), ("referer", f"{HERE}/")],
    "our referer and another": [("referer", f"{HERE}/"), ("referer", f"{EVIL}/")],
}
"""All of these are refused, whatever the request is and whatever cookies it has."""

NOTHING: Final[dict[str, Headers]] = {
    "no header at all": [],
    "only headers that forms send too": [("accept", "*/*"), ("content-language", "en")],
}
"""A browser's oldest way. Refused with our session's cookie; a program has none."""

HOSTS: Final[dict[str, Headers]] = {
    "another host": [("host", "evil.example")],
    "another host that is also the origin": [("host", "evil.example"), ("origin", EVIL)],
    "our name as a beginning": [("host", "localhost.evil.example")],
    "our name as an end": [("host", "evil-localhost")],
    "our name as a user": [("host", "localhost@evil.example")],
    "our name as a path": [("host", "evil.example/localhost")],
    "a user at our name": [("host", "evil.example@localhost")],
    "a list": [("host", "localhost, evil.example")],
    "twice": [("host", "localhost"), ("host", "localhost")],
    "ours and another": [("host", "localhost"), ("host", "evil.example")],
    "two ports": [("host", "localhost:80:80")],
    "a port that is none": [("host", "localhost:http")],
    "a port that is too large": [("host", "localhost:65536")],
    "a scheme": [("host", "http://localhost")],
    "a dot at the end": [("host", "localhost.")],
    "half of an address": [("host", "[::1")],
    "all addresses of the machine": [("host", "0.0.0.0")],
    "a loopback name of somebody else": [("host", "127.0.0.1.evil.example")],
    "a space": [("host", "localhost evil.example")],
    "empty": [("host", "")],
}
"""All of these are refused with 400, also with our origin: another name may belong to somebody else's page."""

JSON_TYPES: Final = (
    *("", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded"),
    *("multipart/form-data; boundary=x", "text/json", "application/jsonp", "application/json-seq"),
    *("*/*", "application/octet-stream"),
)
"""Content types that are not JSON. Forms can send the second, fourth and fifth without asking first."""
FORM_TYPES: Final = (
    *("", "text/plain", "application/json", "multipart/form-data; boundary=x", "*/*"),
    *("application/x-www-form-urlencoded-x", "text/plain; application/x-www-form-urlencoded"),
    "application/x-www-form-urlencoded, text/plain",
)
"""Content types that are not those of our forms."""
