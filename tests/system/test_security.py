"""The measures of doc/security.md that no other test shows; and that each test which that page names is there."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
from booking_site import eventually, new_id
from conftest import make
from ports import free_port
from stack import connects

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site():
    yield from make(workers=2, mode="master", auto_remove=False)


def status(pid):
    return dict(
        re.findall(r"^(\w+):\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    )


def pids(site, name):
    first = site.stack.processes[name].pid
    return [
        first,
        *(int(p) for p in pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()),
    ]


def test_no_core_dump_and_no_new_privileges(site):
    for name in ("queued", "courier", "workers"):
        for pid in pids(site, name):
            eventually(lambda: status(pid)["NoNewPrivs"] == "1")  # the courier is started last
            assert re.search(
                r"^Max core file size +0 +0 ", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M
            ), name


def test_the_queue_daemon_makes_no_other_system_calls(site):
    assert status(site.stack.processes["queued"].pid)["Seccomp"] == "2"
    source = (TOP / "queued/sandbox.c").read_text()
    for call in (
        "execve",
        "ptrace",
        "bind",
        "setuid",
        "process_vm_readv",
        "memfd_create",
        "keyctl",
    ):
        assert f"SCMP_SYS({call})" not in source
    body = site.booking(room=new_id())
    a = site.ready(body)  # and it still does its work
    assert (
        site.approve("u-1", body["reservationInfo"]["roomId"], site.sim.pay(a.body["tid"])).status
        == 200
    )


def nobody_dir():
    path = pathlib.Path(tempfile.mkdtemp(prefix="roompay-user-"))
    path.chmod(0o755)
    for name in ("run", "var"):
        (path / name).mkdir()
        os.chown(path / name, pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid)
    return path


def queue_conf(site, path, **queue):
    text = site.stack.conf_path.read_text()
    text = re.sub(r"^socket = .*queue\.sock$", f"socket = {path}/run/queue.sock", text, flags=re.M)
    text = re.sub(
        r"^dir = .*queue$",
        f"dir = {path}/var/queue\n" + "\n".join(f"{k} = {v}" for k, v in queue.items()),
        text,
        flags=re.M,
    )
    text = text.replace("[site]\n", "[site]\nuser = nobody\n")
    (path / "roompay.conf").write_text(text)
    return path / "roompay.conf"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it away")
def test_root_is_given_away_and_the_socket_is_the_groups(site):
    path = nobody_dir()
    conf = queue_conf(site, path)
    p = subprocess.Popen(
        [site.stack.build / "queued/roompay-queued", "-c", conf], stderr=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: connects(socket.AF_UNIX, f"{path}/run/queue.sock"))
        s, nobody = status(p.pid), pwd.getpwnam("nobody")
        assert (
            s["Uid"].split() == [str(nobody.pw_uid)] * 4
            and s["Gid"].split() == [str(nobody.pw_gid)] * 4
        )
        assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0
        st = os.stat(f"{path}/run/queue.sock")
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (nobody.pw_uid, nobody.pw_gid, 0o660)
    finally:
        p.terminate()
        p.wait(10)
        shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_member_of_the_group_who_is_not_named_is_refused(site):
    path = nobody_dir()
    (path / "run").chmod(0o755)
    conf = queue_conf(site, path)
    conf.write_text(
        conf.read_text()
        .replace("user = nobody\n", "")
        .replace("[queue]\n", "[queue]\nsocket_group = nogroup\nallow_uids = 0\n")
    )
    p = subprocess.Popen(
        [site.stack.build / "queued/roompay-queued", "-c", conf], stderr=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: connects(socket.AF_UNIX, f"{path}/run/queue.sock"))
        assert os.stat(f"{path}/run/queue.sock").st_gid == grp.getgrnam("nogroup").gr_gid
        code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{path}/run/queue.sock'); s.sendall(b'1 hello\\n'); print(len(s.recv(100)))"
        done = subprocess.run(
            ["python3", "-c", code],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert done.stdout.strip() in ("0", "") and "Permission" not in done.stderr, (
            done
        )  # the file lets it in, the daemon does not
        done = subprocess.run(
            ["python3", "-c", code],
            user="daemon",
            group="daemon",
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert "PermissionError" in done.stderr
    finally:
        p.terminate()
        assert (
            f"event=client_refused uid={pwd.getpwnam('nobody').pw_uid}"
            in p.communicate(timeout=10)[1]
        )
        shutil.rmtree(path)


def test_secrets_from_the_service_managers_credentials(site, tmp_path):
    (tmp_path / "rk").write_text("0123456789" * 4 + "\n")
    (tmp_path / "rk").chmod(0o400)
    conf = tmp_path / "roompay.conf"
    conf.write_text(
        re.sub(
            r"^replay_key_file = .*$",
            "replay_key_file = credential:rk",
            site.stack.conf_path.read_text(),
            flags=re.M,
        )
    )

    def check(**env):
        return subprocess.run(
            [site.stack.build / "ctl/roompayctl", "-c", conf, "config", "check"],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
        )

    assert check(CREDENTIALS_DIRECTORY=str(tmp_path)).returncode == 0
    assert "LoadCredential" in check().stderr and check().returncode == 2
    conf.write_text(conf.read_text().replace("credential:rk", "credential:../rk"))
    assert check(CREDENTIALS_DIRECTORY=str(tmp_path)).returncode == 2


def test_no_proxy_from_the_environment(site):
    taken = f"http://127.0.0.1:{free_port()}"
    for name in ("workers", "courier"):
        site.stack.stop(name)
        site.stack.preload[name] = {
            "http_proxy": taken,
            "https_proxy": taken,
            "ALL_PROXY": taken,
            "HTTPS_PROXY": taken,
        }
        site.stack.start(name)
    body = site.booking(room=new_id())
    a = eventually(lambda: (lambda x: x if x.status == 200 else None)(site.ready(body)), 20)
    tid = a.body["tid"]
    assert site.approve("u-1", body["reservationInfo"]["roomId"], site.sim.pay(tid)).status == 200
    eventually(lambda: any(m["data"]["tid"] == tid for m in site.stack.reservation.received))


def test_no_secret_in_the_process_list(site):
    secrets = [*site.stack.tokens.values(), site.stack.kakaopay_key, site.stack.replay_key]
    for name in ("queued", "courier", "workers"):
        for pid in pids(site, name):
            shown = (
                pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            )
            assert not any(s.encode() in shown for s in secrets)


def test_each_test_that_the_page_names_is_there():
    page = (TOP / "doc/security.md").read_text()
    named = re.findall(r"`(tests/[a-z_/]+\.(?:py|c|t))(?:::(\w+))?`", page)
    assert len(named) >= 20
    for path, name in named:
        text = (TOP / path).read_text()
        assert not name or re.search(rf"\b{name}\(", text), f"{path}::{name}"
