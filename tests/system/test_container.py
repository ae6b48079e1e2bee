"""Containerfile and compose.yaml against what the other tests run. `make check-container` builds and runs them."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from stack import TOP

CONTAINER = TOP / "etc/container"
SPEC = yaml.safe_load((TOP / "compose.yaml").read_text())
SERVICES = SPEC["services"]
FILE = (TOP / "Containerfile").read_text()
PLACES = {
    "roompay-queued": "queued/roompay-queued",
    "roompay-courier": "courier/roompay-courier",
    "/usr/libexec/roompay.fcgi": "fcgi/roompay.fcgi",
    "kakaopay-sim": "sim/kakaopay-sim",
    "roompayctl": "ctl/roompayctl",
}


def words(*lists):
    """Every command of the files, as lists of words."""
    out = [list(map(str, s["command"])) for s in SERVICES.values() if "command" in s]
    out += [s["healthcheck"]["test"][1:] for s in SERVICES.values() if "healthcheck" in s]
    return out + [yaml.safe_load(m) for m in re.findall(r"^CMD (\[.*\])$", FILE, re.M)]


def packages(stage):
    (block,) = re.findall(
        rf" AS {stage}\n.*?apt-get install -y (.*?)(?:&& rm|\nWORKDIR)", FILE, re.S
    )
    return set(block.replace("\\\n", " ").split()) - {"--no-install-recommends"}


def test_the_programs_know_the_options(site):
    found = 0
    for command in words():
        if command[0] in PLACES:
            said = subprocess.run(
                [site.stack.build / PLACES[command[0]], "--help"], capture_output=True, text=True
            )
            options = [w for w in command[1:] if w.startswith("-")]
            assert [o for o in options if o not in said.stdout] == [], (command, said)
            found += 1
        else:
            assert command[0] in (
                "sleep", "curl", "node", "mongod", "lighttpd",
                "/usr/libexec/booking-site", "/usr/libexec/demo-settings",
            ), command  # fmt: skip
    assert found >= 8


def test_the_checks_of_health_are_commands_that_say_yes(site):
    for name in ("queue", "workers"):
        program, *argv = SERVICES[name]["healthcheck"]["test"][1:]
        assert program == "roompayctl"
        site.stack.ctl(*argv)


@pytest.fixture
def made(site, tmp_path):
    def run():
        path = f"{site.stack.build / 'ctl'}:{os.environ['PATH']}"
        subprocess.run(
            [CONTAINER / "demo-settings", tmp_path / "etc", tmp_path / "site"],
            check=True,
            env={"PATH": path},
        )
        return {p: p.read_text() for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    (tmp_path / "site").mkdir()
    return run


def test_the_settings_of_the_first_start_are_right_and_stay(site, made, tmp_path):
    files = made()
    assert made() == files
    conf = tmp_path / "etc/roompay.conf"
    checked = subprocess.run(
        [site.stack.build / "ctl/roompayctl", "-c", conf, "config", "check"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked
    assert all(p.stat().st_mode & 0o007 == 0 for p in files)
    env = dict(re.findall(r"^export (\w+)='(.*)'$", files[tmp_path / "site/env"], re.M))
    read = set()
    for module in ("gateway", "reservation", "server", "models"):
        text = (TOP / f"examples/booking-site/{module}.js").read_text()
        read |= set(re.findall(r"\benv\.([A-Z_]+)", text))
        read |= set(re.findall(r"[A-Z_]+", (re.findall(r"connect\(\{(.*)\}\)", text) or [""])[0]))
    assert read - {"OPERATOR"} <= set(env), read - set(env)
    text = files[conf]
    for secret in ("GATEWAY", "RESERVATION", "REFUND", "OPERATOR", "SESSION_KEY"):
        assert len(env[secret]) >= 32 and env[secret] not in text


def test_ports_and_addresses_belong_together(made, tmp_path):
    shown = {p.split(":")[1] for p in SERVICES["net"]["ports"]}
    assert all(p.startswith("127.0.0.1:") for p in SERVICES["net"]["ports"])
    web = (CONTAINER / "lighttpd.conf").read_text()
    opened = set(re.findall(r'0\.0\.0\.0:(\d+)"', web)) | set(
        re.findall(r"server.port = (\d+)", web)
    )
    assert opened == shown
    behind = set(re.findall(r'"port" => (\d+)', web))
    files = made()
    env, conf = files[tmp_path / "site/env"], files[tmp_path / "etc/roompay.conf"]
    sim = SERVICES["sim"]["command"]
    assert behind == {re.search(r"SITE_PORT='(\d+)'", env)[1], sim[sim.index("--port") + 1]}
    for url in re.findall(r"http://127\.0\.0\.1:(\d+)", env + conf):
        assert url in shown | behind, url
    done = subprocess.run(
        [shutil.which("lighttpd", path=os.environ["PATH"] + ":/usr/sbin"), "-tt", "-f",
            CONTAINER / "lighttpd.conf"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout + done.stderr == "", done


def test_every_container_is_confined_and_every_name_is_there():
    for name, s in SERVICES.items():
        assert s["read_only"] is True and s["cap_drop"] == ["ALL"], name
        assert s["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in s and "environment" not in s, name
        assert s.get("user", "10001").split(":")[0] not in ("0", "root"), name
        assert name == "net" or s["network_mode"] == "service:net"
        assert {v.split(":")[0] for v in s.get("volumes", [])} <= set(SPEC["volumes"]), name
        assert set(s.get("depends_on", {})) <= set(SERVICES), name
        for other, wanted in s.get("depends_on", {}).items():
            ends = SERVICES[other]["restart"] == "no"
            assert ends == (wanted["condition"] == "service_completed_successfully"), (name, other)
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
    writes = {
        n: [v for v in s.get("volumes", []) if not v.endswith(":ro")] for n, s in SERVICES.items()
    }
    assert [n for n, v in writes.items() if "config:/etc/roompay" in v] == ["settings"]
    stages = FILE.split("\nFROM ")[1:]
    for stage in stages:
        name = stage.split(" AS ")[1].split("\n")[0]
        users = re.findall(r"^USER (\S+)$", stage, re.M)
        assert name in ("build", "base", "site-build", "sim", "roompay") or users, name
        assert all(u.split(":")[0] not in ("0", "root") for u in users)


def test_the_image_is_built_of_what_the_package_is_built_of():
    control = (TOP / "debian/control").read_text()
    needs = control.split("Build-Depends:")[1].split("\n\n")[0]
    wanted = set(re.findall(r"^ ([a-z0-9-]+)", needs, re.M)) - {"debhelper-compat"}
    assert wanted <= packages("build"), wanted - packages("build")
