#!/usr/bin/python3
"""Checks docker-compose.yml without a container engine: what each container may do, which
networks and folders it has, and that every setting of nginx is handed down, with its
default. Source: docs/operations.md, "What is where".

The last line is "N passed, N failed". Needs python3-yaml."""

import re
import sys
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parents[2]

results = {"passed": 0, "failed": 0}


def equal(name, got, want):
    results["passed" if got == want else "failed"] += 1
    if got != want:
        print(f"FAILED {name}: got {got!r}, wanted {want!r}")


def defaults():
    """The settings of .env.example with a value."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", (TOP / ".env.example").read_text(), re.M))


def nginx_settings():
    """The settings that the scripts hand down to nginx."""
    text = (TOP / "deploy/nginx-settings.sh").read_text()
    lists = re.findall(r"^nginx_settings=(?:\$nginx_settings,)?(.*)$", text, re.M)
    return ",".join(lists).split(",")


# Folders that can be written to: volumes, and tmpfs with its size.
WRITABLE = {
    "nginx": ["/run/nginx 128m", "/run/scoring"],
    "scoring": ["/run/scoring", "/tmp 256m"],
    "redis": ["/data", "/run/redis 1m"],
}
NETWORKS = {"nginx": ["metrics", "web"], "scoring": ["out", "store"], "redis": ["store"]}
USERS = {"nginx": "101:101", "scoring": None, "redis": "999"}  # None: that of the image


def writable(service):
    """Without volumes that are read-only."""
    folders = [re.sub(r"\$\{[^}]*\}", "", volume).split(":") for volume in service["volumes"]]
    sizes = [(mount.split(":")[0], re.search(r"size=(\w+)", mount)[1])
             for mount in service.get("tmpfs", [])]
    return sorted([parts[1] for parts in folders if parts[-1] != "ro"]
                  + [" ".join(size) for size in sizes])


def check_service(name, service):
    """What operations.md promises of each container."""
    for member, want in (("read_only", True), ("cap_drop", ["ALL"]), ("ipc", "none"),
                         ("security_opt", ["no-new-privileges:true"]),
                         ("mem_limit", "512m"), ("restart", "unless-stopped"),
                         ("user", USERS[name]), ("privileged", None), ("cap_add", None)):
        equal(f"{name}: {member}", service.get(member), want)
    equal(f"{name}: log", service["logging"],
          {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}})
    equal(f"{name}: healthcheck", service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), True)
    equal(f"{name}: networks", sorted(service["networks"]), NETWORKS[name])
    equal(f"{name}: writable", writable(service), WRITABLE[name])
    equal(f"{name}: published ports", [port["target"] for port in service.get("ports", [])],
          [8080, 8443] if name == "nginx" else [])


def check_handed(nginx):
    """Ports and addresses are the engine's; the others are variables."""
    values, published = nginx["environment"], str(nginx["ports"])
    known = defaults()
    for name in nginx_settings():
        want = f"${{{name}:-{known.get(name, '')}}}"
        if name in ("HTTP_PORT", "HTTP_ADDRESS"):
            equal(f"nginx: {name}", want in published, True)
        else:
            equal(f"nginx: {name}", values.get(name), want)
    equal("nginx: HTTPS_PORT is published if HTTPS is on", nginx["ports"][1]["published"],
          f"${{TLS_CERTIFICATE:+${{HTTPS_PORT:-{known['HTTPS_PORT']}}}}}")
    equal("nginx: the time zone of its log", values.get("TZ"), "${TZ:-}")


def main():
    compose = yaml.safe_load((TOP / "docker-compose.yml").read_text())
    services = compose["services"]
    equal("services", sorted(services), sorted(NETWORKS))
    for name, service in services.items():
        check_service(name, service)
    check_handed(services["nginx"])
    scoring = services["scoring"]
    equal("scoring: all settings", scoring["env_file"], ".env")
    equal("scoring: its log is that of the container",
          scoring["environment"]["SCORING_LOG_FILE"], "")
    for name, path in (("SCORING_ACCOUNTS_FILE", "accounts.json"),
                       ("SCORING_MODEL_FILE", "model.json")):
        equal(f"scoring: {name}", scoring["environment"][name], f"${{{name}:+/etc/scoring/{path}}}")
        equal(f"scoring: {name} is mounted",
              f"${{{name}:-/dev/null}}:/etc/scoring/{path}:ro" in scoring["volumes"], True)
    for name in ("scoring", "redis"):
        equal(f"{name}: needs a password",
              services[name]["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?"), True)
    equal("networks without a way out", sorted(
        name for name, network in compose["networks"].items() if network and network.get("internal")),
        ["metrics", "store"])
    print(f"{results['passed']} passed, {results['failed']} failed")
    return results["failed"] > 0


if __name__ == "__main__":
    sys.exit(main())
