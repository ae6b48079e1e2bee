"""One bad, slow or hostile client delays nobody else."""

import os
import socket
import statistics
import time

from booking_site import http_call, new_id


def usual_speed(site, room):
    times = []
    for _ in range(30):
        a = site.ready(user="b", room=room)
        assert a.code == "slot-held", a
        times.append(a.seconds)
    assert statistics.median(times) < 0.05 and max(times) < 2.5, times


def guarded_room(site):
    body, _ = site.opened(user="u-" + new_id())
    return body["reservationInfo"]["roomId"]


def web_socket(site):
    host, port = site.stack.web_address
    return socket.create_connection((host, port))


def test_a_body_of_one_mebibyte(site):
    room = guarded_room(site)
    a = http_call(
        "POST",
        site.base + "/payReady",
        b"x" * (1 << 20),
        {"Authorization": "Bearer " + site.tokens["gateway"], "Content-Type": "application/json"},
    )
    assert a.status == 413, a
    usual_speed(site, room)


def test_bodies_cut_short_and_clients_that_stall(site):
    room = guarded_room(site)
    prefix = site.base.split("/", 3)[3] if site.base.count("/") > 2 else ""
    path = ("/" + prefix if prefix else "") + "/payReady"
    stalled = []
    for i in range(20):
        s = web_socket(site)
        s.sendall(
            (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n"
                f"Authorization: Bearer {site.tokens['gateway']}\r\n\r\n" + "{"
            ).encode()
        )
        if i % 2:
            s.close()
        else:
            stalled.append(s)
    usual_speed(site, room)
    for s in stalled:
        s.close()


def test_idle_connections_to_the_queues_socket(site):
    room = guarded_room(site)
    idle = []
    for _ in range(64):
        s = socket.socket(socket.AF_UNIX)
        s.connect(site.stack.queue_socket)
        idle.append(s)
    usual_speed(site, room)
    for s in idle:
        s.close()


def test_garbage_on_the_queues_socket(site):
    room = guarded_room(site)
    for junk in (
        b"\0" * 5000,
        os.urandom(4096),
        b"1 hold\n",
        b"1 nosuch a=b\n",
        b"x" * 200000,
        b"1 hold room=%zz\n" * 100,
        b"\n" * 100,
    ):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(2)
        s.connect(site.stack.queue_socket)
        try:
            s.sendall(junk)
            s.recv(1000)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        s.close()
    usual_speed(site, room)


def test_garbage_on_the_fastcgi_socket(site):
    room = guarded_room(site)
    peers = []
    for junk in (
        os.urandom(512),
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x00",
        b"\x01" * 8,
    ):
        s = socket.socket(socket.AF_UNIX)
        s.connect(site.stack.fcgi_socket)
        s.sendall(junk)
        peers.append(s)  # and they stay, saying nothing more
    time.sleep(0.1)
    usual_speed(site, room)
    for s in peers:
        s.close()
