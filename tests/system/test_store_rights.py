"""A replica set as operators run it: TLS, users by SCRAM-SHA-256, a seed list of three and no DNS
record; and roompay's user may do nothing but read and write its own database."""

import secrets
import subprocess

import pymongo
import pytest
from booking_site import Site, eventually, new_id
from conftest import BUILD
from mongo_set import MongoSet
from pymongo.errors import OperationFailure
from stack import Stack
from store_server import choose

PASSWORD, ADMIN = secrets.token_hex(12), secrets.token_hex(12)


def openssl(dir, *argv):
    subprocess.run(["openssl", *argv], cwd=dir, check=True, capture_output=True)


def make_certificates(dir):
    """An authority, and a certificate of 127.0.0.1 that members show each other and clients."""
    (dir / "ext").write_text(
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    openssl(
        dir,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=ca",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    openssl(
        dir,
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/O=roompay/CN=member",
        "-keyout",
        "member.key",
        "-out",
        "member.csr",
    )
    openssl(
        dir,
        "x509",
        "-req",
        "-in",
        "member.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "ext",
        "-out",
        "member.crt",
    )
    (dir / "member.pem").write_text(
        (dir / "member.key").read_text() + (dir / "member.crt").read_text()
    )
    (dir / "set.key").write_text(secrets.token_hex(32))
    (dir / "set.key").chmod(0o600)


def add_user(client, name, password, *roles):
    client.admin.command(
        "createUser",
        name,
        pwd=password,
        mechanisms=["SCRAM-SHA-256"],
        roles=[{"role": role, "db": db} for role, db in roles],
    )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A stack on such a set, and the set."""
    engine, mongod = choose(BUILD)
    if engine != "mongod":
        pytest.skip("no mongod: neither TLS nor users can be had here")
    dir = tmp_path_factory.mktemp("set")
    make_certificates(dir)
    ca = str(dir / "ca.pem")
    s = MongoSet(
        mongod,
        dir,
        members=3,
        options=(
            "--tlsMode",
            "requireTLS",
            "--tlsCertificateKeyFile",
            str(dir / "member.pem"),
            "--tlsCAFile",
            ca,
            "--tlsAllowConnectionsWithoutCertificates",
            "--keyFile",
            str(dir / "set.key"),
        ),
    )
    for m in s.members:
        m.client_options = {"tls": True, "tlsCAFile": ca}
    seeds = s.uri.split("/")[2]
    how = f"/?replicaSet={s.name}&tls=true&tlsCAFile={ca}&authSource=admin"
    how += "&authMechanism=SCRAM-SHA-256"
    with s:
        stack = Stack(BUILD, mongo_uri=f"mongodb://roompay:{PASSWORD}@{seeds}{how}")
        with s.wait_for_primary().client() as c:
            add_user(c, "admin", ADMIN, ("root", "admin"))
        with s.wait_for_primary().client(username="admin", password=ADMIN) as c:
            add_user(c, "roompay", PASSWORD, ("readWrite", stack.database_name))
        with stack:
            site = Site(stack)
            eventually(lambda: all_answer(site), 20, 0.5)
            yield site, s


def all_answer(site):
    """Each worker makes its connections at its start. Eight of them, with TLS to three members, take
    a busy machine longer than what readyz waited for."""
    bodies = [site.booking(user="u-" + new_id()) for _ in range(16)]
    return all(site.ready(b).status == 200 for b in bodies)


def test_read_and_write_on_one_database_is_enough(guarded):
    site, _ = guarded
    assert (
        "roompay" in site.stack.conf_path.read_text()
        and PASSWORD not in site.stack.conf_path.read_text()
    )
    body, _, a = site.paid(user="u-" + new_id())
    assert a.status == 200, a
    order = body["paymentInfo"]["partner_order_id"]
    assert len(site.sim.captures(order)) == len(site.payments(order)) == 1
    tid = a.body["payment"]["tid"]
    eventually(lambda: [d for d in site.stack.reservation.received if d["data"]["tid"] == tid])
    assert site.refund(tid).status == 200
    site.db.payments.drop_index("aid")
    site.stack.ctl("migrate")  # makes it again
    assert "aid" in site.db.payments.index_information()
    assert site.get("/readyz").status == 200


def test_that_user_may_do_no_more(guarded):
    site, _ = guarded
    with pymongo.MongoClient(site.stack.mongo_uri) as c:
        for refused in (
            lambda: c.other.things.insert_one({}),
            lambda: c.admin.command("replSetGetStatus"),
            lambda: c[site.stack.database_name].command("createUser", "x", pwd="x", roles=[]),
        ):
            with pytest.raises(OperationFailure) as e:
                refused()
            assert e.value.code == 13  # Unauthorized


def test_a_failover_needs_no_new_log_in_by_hand(guarded):
    site, s = guarded
    p = s.wait_for_primary()
    p.kill()
    s.wait_for_primary()
    eventually(lambda: site.ready(user="u-" + new_id()).status == 200, seconds=20, every=0.3)
    p.start()
    assert site.paid(user="u-" + new_id())[2].status == 200
