"""Where a sign-in may lead: each text that somebody may put into a `next`, and the address it leads to. Facts and ideas
come from the WHATWG URL standard and from what other frameworks test."""

from typing import Final

EVIL: Final = "evil.example"
HOME: Final = None

SCHEMES: Final = [
    *(f"http://{EVIL}", f"http://{EVIL}/gradio/", f"https://{EVIL}", f"HTTPS://{EVIL}/"),
    *(f"http:///{EVIL}", f"http:////{EVIL}", f"http:/{EVIL}", f"http:{EVIL}", f"https:{EVIL}"),
    *("http:", "http:/", "http://", "http:999999999", "ftp:9999999999", f"ftp://{EVIL}"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "javascript://%0aalert(1)"),
    *("javascript:/gradio/", "javascript%3Aalert(1)", "&#106;avascript:alert(1)"),
    *("data:text/html,<script>alert(1)</script>", "vbscript:x", "blob:http://localhost/x"),
    *("file:///etc/passwd", "mailto:ada@example.org", "tel:555", "about:blank", "view-source:/"),
    *("intent://x#Intent;scheme=http;end", f"x:/{EVIL}", f"://{EVIL}", f":/{EVIL}", f":{EVIL}"),
    # Our own address is one of another scheme, host or port for somebody: only paths lead back.
    *("http://localhost/gradio/", "https://localhost/gradio/", "http://localhost:80/gradio/"),
    *("http://localhost:8081/", "http://127.0.0.1/", "http://LOCALHOST/gradio/", "//localhost/"),
    *("http://[::1]/", "http://[::1]:8080/gradio/", "//[::1]/", "http://[::ffff:7f00:1]/"),
    *("http://[2001:db8::1]/", "http://[2001:db8::1", "http://2001:db8::1]/", "//[evil"),
]
SLASHES: Final = [
    *(f"//{EVIL}", f"///{EVIL}", f"////{EVIL}", f"/////{EVIL}/", f"//{EVIL}/gradio/", "//", "///"),
    *(
        f"//{EVIL}:80/",
        f"//{EVIL}?/gradio/",
        f"//{EVIL}#/gradio/",
        "//?",
        "//#",
        f"//{EVIL.upper()}",
    ),
    *("//1", "//0x7f.1", "//2130706433", "//3232235777", "//evil。example", "//\uff45vil.example"),
    *(f"\\\\{EVIL}", f"\\\\\\{EVIL}", f"/\\{EVIL}", f"\\/{EVIL}", f"/\\/{EVIL}", f"\\\\/{EVIL}"),
    *(f"/\\\\{EVIL}", f"//\\{EVIL}", f"/{EVIL}\\@localhost", f"http:\\\\{EVIL}", f"http:/\\{EVIL}"),
    *("/gradio/\\..\\logout", "/gradio\\", "\\", "\\gradio\\", "/\\", "/gradio/?q=\\", "/#\\"),
]
USERS: Final = [
    *(f"//localhost@{EVIL}", f"//localhost:80@{EVIL}/", f"http://localhost@{EVIL}/"),
    *(f"http://localhost%40{EVIL}/", f"//user:secret@{EVIL}", f"http://{EVIL}\\@localhost/"),
    *(f"//{EVIL}%2f@localhost/", f"@{EVIL}", f"user@{EVIL}", f"http://localhost\\.{EVIL}/"),
    *(f"http://localhost.{EVIL}/", f"//localhost.{EVIL}", f"localhost.{EVIL}/", f".{EVIL}"),
]
CONTROLS: Final = [
    *(f"/\t/{EVIL}", f"/\n/{EVIL}", f"/\r/{EVIL}", f"\t//{EVIL}", f"\n//{EVIL}", f"//\t{EVIL}"),
    *(f"/\t\\{EVIL}", "java\tscript:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)"),
    *(f"\x00//{EVIL}", f"\x08//{EVIL}", f"\x1f//{EVIL}", f"\x7f//{EVIL}", f"/\x00/{EVIL}"),
    *("/gradio/\x00", "/gradio/\x1b[2J", "/gradio/\x7f", "/gradio/\r\nSet-Cookie: x=y", "\n", "\t"),
    *(f" //{EVIL}", f"\xa0//{EVIL}", f"/ /{EVIL}", " /gradio/", "/gradio/ ", "/gradio/ x", " "),
    *(
        "/gradio/\x85",
        "/gradio/\xad",
        "/gradio/\u200b",
        "/gradio/\u200e",
        "/gradio/\u202e",
        "/\u2028/x",
    ),
    *(f"/\u2029/{EVIL}", f"\ufeff//{EVIL}", "/\ufeff", "/gradio/\ue000", "/\ud800", "/\udfff/x"),
    *("/gradio/\u2003", "/gradio/?q=\t", "/gradio/?q=\n", "/gradio/#\n", "/gradio/?q=a b"),
]
ENCODED: Final = [
    *(
        f"/%2f{EVIL}",
        f"/%2F{EVIL}",
        f"/%2f%2f{EVIL}",
        f"%2f%2f{EVIL}",
        f"%2f{EVIL}",
        "%2fgradio%2f",
    ),
    *(f"/%5c{EVIL}", f"/%5C{EVIL}", "/gradio/%5c..%5clogout", f"%5c%5c{EVIL}", f"/%5c/{EVIL}"),
    *("/%09/x", "/%0a/x", "/%0d%0aSet-Cookie:x=y", "/%00", "/gradio/%00", "/gradio/%7f", "/%1b"),
    *("/%e2%80%a8/x", "/gradio/%c2%85", "/gradio/%e2%80%8b", "/%ef%bb%bf", "/gradio/%E2%80%AE"),
    *(
        "/%2e%2e/",
        "/%2e/",
        "/.%2e/x",
        "/%2e./x",
        "/gradio/%2E%2E/logout",
        "/gradio/%2e%2e%2flogout",
    ),
]
DOTS: Final = [
    *("..", ".", "../", "./gradio/", "../gradio/", "/..", "/.", "/../", "/./", "/../gradio/"),
    *("/./gradio/", "/gradio/..", "/gradio/.", "/gradio/../logout", "/gradio/./x", "/x/../../y"),
    *(
        f"/..//{EVIL}",
        f"/.//{EVIL}",
        f"/gradio/..//{EVIL}",
        f"/x/../..//{EVIL}",
        "/gradio/../login",
    ),
]
OURS_BUT_NO_END: Final = [
    *("/login", "/login/", "/login?next=/gradio/", "/login#x", "/login?", "/login//"),
    *(
        "/login/corp",
        "/login/corp?next=/x",
        "/login/corp/callback?code=x&state=y",
        "/login/corp/link",
    ),
    *("/logout", "/logout/", "/logout?next=/x", "/setup", "/setup/", "/setup?token=x", "/setup#x"),
    *("/%6cogin", "/l%6fgin/", "/%6c%6f%67out", "/setu%70?token=x", "/login%2f", "/login%2fcorp"),
    *("/logout%2f", "/login/%63orp", "/login/done/", "/login/done/x", "/LOGIN\x00"),
]
"""These would begin another sign-in, or end this one."""
NO_PATHS: Final = [
    *("", "x", "gradio/", "?next=/x", "?", "#", "#/gradio/", ";/gradio/", ",", "'", '"', "null"),
    *("undefined", "None", "0", "*", "%", "%2", "[]", "{}", "gradio", EVIL, f"{EVIL}/x", "ä", "😀"),
]
LONG: Final = [
    *(f"/{'x' * 2048}", f"/?{'q' * 2047}", f"/{'ä' * 400}", f"//{'x' * 9000}", "/" * 2049),
    *(f"/{'%41' * 700}", f"https://{EVIL}/{'x' * 9000}", f"/gradio/#{'x' * 2041}", "/.." * 400),
]

LEAVES_US: Final = [
    *(*SCHEMES, *SLASHES, *USERS, *CONTROLS, *ENCODED, *DOTS, *OURS_BUT_NO_END, *NO_PATHS, *LONG),
]
"""All of these lead home."""

STAYS: Final = {
    "/": "/",
    "/gradio": "/gradio",
    "/gradio/": "/gradio/",
    "/gradio/reports/": "/gradio/reports/",
    "/gradio/?tab=2": "/gradio/?tab=2",
    "/gradio/?tab=2&x=%2F": "/gradio/?tab=2&x=%2F",
    "/gradio/?tab=2#here": "/gradio/?tab=2#here",
    "/gradio/#": "/gradio/#",
    "/gradio/?": "/gradio/?",
    "/?": "/?",
    "/#": "/#",
    f"/gradio/?q=//{EVIL}": f"/gradio/?q=//{EVIL}",
    f"/gradio/?next=https://{EVIL}/": f"/gradio/?next=https://{EVIL}/",
    f"/gradio/#//{EVIL}": f"/gradio/#//{EVIL}",
    "/gradio/?q=javascript:alert(1)": "/gradio/?q=javascript:alert(1)",
    "/gradio/?q=..": "/gradio/?q=..",
    "/gradio/?q=/../logout": "/gradio/?q=/../logout",
    "/gradio/?q=%0d%0a": "/gradio/?q=%0d%0a",
    "/gradio/?q=%5c": "/gradio/?q=%5c",
    "/gradio/#/../x": "/gradio/#/../x",
    f"/gradio//{EVIL}": f"/gradio//{EVIL}",
    f"/gradio/https://{EVIL}": f"/gradio/https://{EVIL}",
    f"/{EVIL}": f"/{EVIL}",
    f"/.{EVIL}": f"/.{EVIL}",
    f"/@{EVIL}": f"/@{EVIL}",
    f"/:{EVIL}": f"/:{EVIL}",
    "/:80/": "/:80/",
    "/http:2222222222": "/http:2222222222",
    "/gradio/ada@example.org": "/gradio/ada@example.org",
    "/a:b@c": "/a:b@c",
    "/...": "/...",
    "/.../x": "/.../x",
    "/.x": "/.x",
    "/gradio/..x/": "/gradio/..x/",
    "/gradio/x../": "/gradio/x../",
    "/gradio/;x=1/..;/": "/gradio/;x=1/..;/",
    "/gradio/%20": "/gradio/%20",
    "/gradio/%2520": "/gradio/%2520",
    "/gradio/%25": "/gradio/%25",
    "/gradio/%": "/gradio/%",
    "/gradio/%zz": "/gradio/%zz",
    "/gradio/%u002f": "/gradio/%u002f",
    "/gradio/a%2Fb": "/gradio/a%2Fb",
    "/%252f%252fx": "/%252f%252fx",
    "/gradio/%252e%252e/logout": "/gradio/%252e%252e/logout",
    "/gradio/%c3%a4": "/gradio/%c3%a4",
    "/gradio/ä": "/gradio/%C3%A4",
    "/gradio/日本/?a=b#c": "/gradio/%E6%97%A5%E6%9C%AC/?a=b#c",
    "/gradio/?q=é#ü": "/gradio/?q=%C3%A9#%C3%BC",
    "/gradio/😀": "/gradio/%F0%9F%98%80",
    "/\u2215evil.example": "/%E2%88%95evil.example",
    "/\uff0f\uff0fevil.example": "/%EF%BC%8F%EF%BC%8Fevil.example",
    "/\uff3cevil.example": "/%EF%BC%BCevil.example",
    "/gradio/\u0300": "/gradio/%CC%80",
    "/gradio/<script>alert(1)</script>": "/gradio/<script>alert(1)</script>",
    "/gradio/\"'<>`{}|^[]": "/gradio/\"'<>`{}|^[]",
    "/gradio/*,;=+$!~": "/gradio/*,;=+$!~",
    "/x" * 1024: "/x" * 1024,
    f"/?{'q' * 2046}": f"/?{'q' * 2046}",
    "/login/done": "/login/done",
    "/login/done?x=1": "/login/done?x=1",
    "/loginx": "/loginx",
    "/login%3fx": "/login%3fx",
    "/logouts": "/logouts",
    "/setup.html": "/setup.html",
    "/LOGIN": "/LOGIN",
    "/gradio/login": "/gradio/login",
    "/gradio/logout/": "/gradio/logout/",
    "/gradio/?next=/logout": "/gradio/?next=/logout",
    "/api/v1/docs": "/api/v1/docs",
    "/static/style.css": "/static/style.css",
}
"""These are addresses of the service, and what the response names."""

BELOW: Final = {
    "/app": "/app/",
    "/app/": "/app/",
    "/app/gradio/": "/app/gradio/",
    "/app/gradio/?x=1": "/app/gradio/?x=1",
    "/app?x=1": "/app/?x=1",
    "/app#x": "/app/#x",
    "/gradio/": "/app/gradio/",
    "/application": "/app/application",
    "/": "/app/",
    f"/app//{EVIL}": HOME,
    f"/app/\\{EVIL}": HOME,
    f"/app\\{EVIL}": HOME,
    f"/app/%2f{EVIL}": HOME,
    f"/app/%5c{EVIL}": HOME,
    f"/app/\t/{EVIL}": HOME,
    f"/app@{EVIL}": f"/app/app@{EVIL}",
    f"/app:{EVIL}": f"/app/app:{EVIL}",
    "/app/..": HOME,
    "/app/../": HOME,
    f"/app/..//{EVIL}": HOME,
    "/app/../other/": HOME,
    "/app/%2e%2e/other/": HOME,
    "/../other/": HOME,
    "/app/login": HOME,
    "/app/login/corp": HOME,
    "/app/logout": HOME,
    "/app/setup?token=x": HOME,
    "/login": HOME,
    f"//{EVIL}/app/": HOME,
    f"https://{EVIL}/app/": HOME,
    "/app/login/done": "/app/login/done",
    "app/": HOME,
}
"""The same for a service at http://localhost/app."""
