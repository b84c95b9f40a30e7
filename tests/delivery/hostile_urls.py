"""URLs that mean to lead somewhere else than they seem to, made by a grammar from a fixed seed."""

import random

SEED = 3986
COUNT = 3_000

_SCHEMES = (
    "https://", "http://", "HTTP://", "hTTps://", "https:", "http:/", "http:///", "http:\\\\", "//", "", "ftp://",
    "file://", "file:///etc/passwd#", "gopher://", "dict://", "ldap://", "smb://", "scp://", "ws://", "wss://",
    "tftp://",
    "telnet://", "imap://", "data:", "jar:http://", "view-source:http://", " http://", "http ://", "\thttp://",
)  # fmt: skip
_USERS = (
    "user@", "user:word@", "a@b@", "%40@", "127.0.0.1@", "receiver.example:80@", "receiver.example#@",
    "receiver.example\\@", "@", ":@", "receiver.example%00@", "receiver.example/@", "receiver.example?@",
)  # fmt: skip
_HOSTS = (
    # Where receivers may be.
    "8.8.8.8", "93.184.215.14", "receiver.example", "Receiver.Example", "hooks.example.", "10.0.0.7", "siem.example",
    "[2606:4700::1111]",
    # Where nothing may be, as it is.
    "127.0.0.1", "10.0.1.7", "192.168.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "0.0.0.0",
    "255.255.255.255", "224.0.0.1", "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "inside.example",
    "[::1]", "[::]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[::127.0.0.1]",
    "[2001:0:7f00:1::]", "::1", "[::1", "::1]", "[127.0.0.1]", "[v1.::1]",
    # The same in decimal, octal, hexadecimal, short and wrapped around.
    "2130706433", "017700000001", "0x7f000001", "0x7F.0.0.1", "0177.0.0.1", "00000177.0.0.1", "127.1", "127.0.1", "0",
    "0x0", "0xa9fea9fe", "2852039166", "025177524776", "169.254.43518", "169.16689662", "0251.0376.0251.0376",
    "4294967297", "0x17f000001", "127.0.0.1.", "127.0.0.256", "127.0.0.01", "1.1.1.1.127.0.0.1",
    "127.0.0.1.nip.example",
    # Look-alikes: full-width and circled digits, full stops of other scripts, soft hyphens, joiners, punycode.
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127\u30020\u30020\u30021",
    "127\uff0e0\uff0e0\uff0e1", "loc\u00adalhost", "lo\u200bcalhost",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    "xn--n3h.example", "xn--", "xn--localhost-", "stra\u00dfe.example", "r\u0435ceiver.example", "\u202eelpmaxe",
    # Escapes and oddities.
    "%31%32%37.0.0.1", "127.0.0.1%00.example", "127%2e0%2e0%2e1", "receiver.example%23.inside.example", "%6cocalhost",
    "receiver.example\x00.inside.example", "receiver.example\n.inside.example", "receiver.example\\inside.example",
    "a..b",
    ".", "..", "-", "_dmarc.example", "*.example", "x" * 64 + ".example", "a." * 140 + "example",
    "receiver.example,inside.example",
    "receiver.example;inside.example", "receiver.example inside.example", "receiver.example&inside.example", "$HOST",
    "{a,b}.example",
)  # fmt: skip
_PORTS = (
    ":80", ":443", ":8080", ":8443", ":9200", ":22", ":25", ":6379", ":5432", ":65535", ":0", ":65536", ":99999", ":-1",
    ":+80", ":080", ":0x50", ": 80", ":80:443", ":", ":8 0", ":\uff18\uff10", ":http", ":80@", ":4294967376", ":80%00",
)  # fmt: skip
_RESTS = (
    "/", "/hook", "/hook?token=word", "//127.0.0.1/", "/..;/@127.0.0.1", "/\r\nHost: 127.0.0.1", "/%0d%0aX-More: 1",
    "?next=http://127.0.0.1/", "#@127.0.0.1/", "\\@127.0.0.1/", "/\x00", "/\t", " /", ";@inside.example/", "/\u00e9",
    "\n",
    "/ HTTP/1.1\r\n\r\nPOST /", "/?{}|^`<>", ":80/", "@127.0.0.1/", "/" + "a" * 5_000, "#", "?",
)  # fmt: skip
_CONTROLS = "\x00\x01\x08\t\n\v\f\r\x1b\x7f\x80\u00a0\u2028\ufeff\ud7ff"


def hostile_urls() -> list[str]:
    """The same URLs every time. Some are harmless, so that a client that sends nothing does not pass."""
    draw = random.Random(SEED)
    return [_url(draw) for _ in range(COUNT)]


def _url(draw: random.Random) -> str:
    scheme = draw.choice(_SCHEMES[:2] if draw.random() < 0.7 else _SCHEMES)
    user = draw.choice(_USERS) if draw.random() < 0.15 else ""
    host = draw.choice(_HOSTS[:8] if draw.random() < 0.3 else _HOSTS)
    port = draw.choice(_PORTS[:5] if draw.random() < 0.7 else _PORTS) if draw.random() < 0.6 else ""
    rest = draw.choice(_RESTS[:3] if draw.random() < 0.7 else _RESTS)
    url = f"{scheme}{user}{host}{port}{rest}"
    if draw.random() < 0.1:
        at = draw.randrange(len(url) + 1)
        url = url[:at] + draw.choice(_CONTROLS) + url[at:]
    return url
