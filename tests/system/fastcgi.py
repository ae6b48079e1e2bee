"""A FastCGI client of a few lines: what a web server sends, and what a broken or hostile peer might."""

import socket
import struct
import time

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, GET_VALUES = 1, 2, 3, 4, 5, 6, 9


def record(kind, content, request=1):
    return struct.pack(">BBHHBB", 1, kind, request, len(content), 0, 0) + content


def pair(name, value):
    out = b""
    for n in (len(name), len(value)):
        out += struct.pack(">B", n) if n < 128 else struct.pack(">I", n | 0x80000000)
    return out + name.encode() + value.encode()


def begin(keep=False):
    return record(BEGIN, struct.pack(">HB5x", 1, int(keep)))


def params(**named):
    return record(PARAMS, b"".join(pair(n, str(v)) for n, v in named.items())) + record(PARAMS, b"")


def head(path, length, method="POST", token="", keep=False, prefix="/pay"):
    return begin(keep) + params(
        REQUEST_METHOD=method,
        SCRIPT_NAME=prefix,
        PATH_INFO=path,
        CONTENT_TYPE="application/json",
        CONTENT_LENGTH=length,
        HTTP_AUTHORIZATION="Bearer " + token,
    )


def stdin(body):
    return b"".join(
        record(STDIN, body[i : i + 65528]) for i in range(0, len(body), 65528)
    ) + record(STDIN, b"")


def connect(path, timeout=20):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    return s


def read_answer(s):
    """(bytes of the answer, whether END_REQUEST came)."""
    data, out, ended = b"", b"", False
    while True:
        try:
            got = s.recv(65536)
        except ConnectionResetError:
            got = b""
        if not got:
            return out, ended
        data += got
        while len(data) >= 8:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", data[:8])
            if len(data) < 8 + length + padding:
                break
            if kind == STDOUT:
                out += data[8 : 8 + length]
            ended = ended or kind == END
            data = data[8 + length + padding :]


def call(path, raw):
    """One whole exchange: (status, bytes of the answer, seconds). Status 0: cut."""
    began = time.monotonic()
    with connect(path) as s:
        s.sendall(raw)
        out, ended = read_answer(s)
    status = (
        int(out.split(b"\r\n", 1)[0].split()[1]) if ended and out.startswith(b"Status: ") else 0
    )
    return status, out, time.monotonic() - began
