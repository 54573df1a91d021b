#!/usr/bin/python3
"""`make check-kubernetes`: checks the manifests of deploy/kubernetes, rendered by kubectl.
Kubernetes must know every member and its type; every reference must have its target; no
container has a right that it does not need; a pod ends in order; and the service and
nginx accept the settings.

    manifests.py BINARY

The types are the packages of tests/kubernetes/package.json, which npm fetches; the
TypeScript compiler checks them. Other checks of a cluster, such as of names and
quantities, are not made. The last line is "N passed, N failed", or with ", N skipped".
Needs python3-yaml."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "deploy/kubernetes"
HERE = TOP / "tests/kubernetes"
MODULES = TOP / "build/kubernetes-tests"
FETCH_S, COMPILE_S = 300, 300  # the compiler takes 5 s on an idle machine
FINISH_S = 7  # the longest time that the service needs to finish its requests: S20.7

# The variables that a container gets because of a Service object called "scoring".
LINKS = {"SCORING_SERVICE_HOST": "10.0.0.1", "SCORING_SERVICE_PORT": "80",
         "SCORING_SERVICE_PORT_HTTP": "80", "SCORING_PORT": "tcp://10.0.0.1:80",
         "SCORING_PORT_80_TCP": "tcp://10.0.0.1:80", "SCORING_PORT_80_TCP_PORT": "80",
         "SCORING_PORT_80_TCP_PROTO": "tcp", "SCORING_PORT_80_TCP_ADDR": "10.0.0.1"}
SECRET = {"REDIS_PASSWORD": "a", "REDIS_SENTINEL_PASSWORD": "b", "SCORING_SALT": "c1",
          "SCORING_ADMIN_SALT": "d2"}

results = {"passed": 0, "failed": 0, "skipped": 0}


def check(name, good, detail=""):
    results["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED {name}: {detail}")


def equal(name, got, want):
    check(name, got == want, f"got {got!r}, wanted {want!r}")


def skip(what):
    results["skipped"] += 1
    print(f"skipped: {what}")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


# --- every member is known

def fetch():
    """Fetches the types that the lock file names, unless they were fetched before."""
    stamp = MODULES / "fetched"
    lock = (HERE / "package-lock.json").read_text()
    if stamp.exists() and stamp.read_text() == lock:
        return True
    if shutil.which("npm") is None:
        return False
    MODULES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, MODULES)
    try:
        done = run("npm", "ci", "--prefer-offline", "--fetch-retries=1", "--no-audit",
                   "--no-fund", cwd=MODULES, timeout=FETCH_S)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 0:
        stamp.write_text(lock)
    return done.returncode == 0


def typed(objects):
    """A program that compiles if every object has its type."""
    lines = [f'import type {{ I{o["kind"]} as Type{i} }} from '
             f'"kubernetes-models/{o["apiVersion"]}/{o["kind"]}";'
             for i, o in enumerate(objects)]
    lines += [f"export const object{i}: Type{i} = {json.dumps(o, indent=1)};"
              for i, o in enumerate(objects)]
    return "\n".join(lines) + "\n"


def compile_types(programs):
    """{name: errors of the compiler}. It runs once, because its start takes long."""
    for name, objects in programs.items():
        (MODULES / f"{name}.ts").write_text(typed(objects))
    said = run("node", "node_modules/typescript/bin/tsc", "--noEmit", "--strict",
               "--skipLibCheck", "--module", "nodenext", *(f"{name}.ts" for name in programs),
               cwd=MODULES, timeout=COMPILE_S).stdout
    # An error begins with its file; further lines are indented.
    of_files = re.split(r"(?m)^(?=\S)", said)
    return {name: "".join(text for text in of_files if text.startswith(f"{name}.ts("))
            for name in programs} | {"": said}


# Errors that the compiler must find: an unknown member, a wrong type, a missing member.
FAULTS = {
    "unknown": ("'\"readOnlyRootFileSystem\"' does not exist",
                lambda pod: pod["containers"][0].update(readOnlyRootFileSystem=True)),
    "type": ("not assignable to type 'number'",
             lambda pod: pod.update(terminationGracePeriodSeconds="45")),
    "missing": ("Property '\"name\"' is missing",
                lambda pod: pod["containers"][0].pop("name")),
}


def check_types(overlays):
    """Compiles the objects of each overlay, and those of the base with each of FAULTS."""
    programs = dict(overlays)
    for fault, (_, change) in FAULTS.items():
        programs[fault] = json.loads(json.dumps(overlays["base"]))
        change(pod_of(programs[fault]))
    said = compile_types(programs)
    for name in overlays:
        equal(f"{name}: every member is known", said[name], "")
    for fault, (text, _) in FAULTS.items():
        check(f"the compiler says: {text}", text in said[fault], said[""])


# --- references

def of_kind(objects, kind):
    return [o for o in objects if o["kind"] == kind]


def pod_of(objects, kind="Deployment"):
    return of_kind(objects, kind)[0]["spec"]["template"]["spec"]


def container(pod, name):
    return next(c for c in pod["containers"] if c["name"] == name)


def settings_of(objects):
    return next(o["data"] for o in of_kind(objects, "ConfigMap")
                if o["metadata"]["name"].startswith("scoring-"))


def selectors_of(objects):
    """The labels by which these objects select pods."""
    for one in objects:
        spec = one.get("spec", {})
        found = spec.get("podSelector") or spec.get("selector")
        if found:
            yield found.get("matchLabels", found)


def check_references(name, workload, objects):
    """Checks a workload and the objects with its name."""
    app, spec = workload["metadata"]["name"], workload["spec"]
    labels, pod = spec["template"]["metadata"]["labels"], spec["template"]["spec"]
    ours = [o for o in objects if o["metadata"]["name"] == app]
    spread = [c["labelSelector"]["matchLabels"] for c in pod["topologySpreadConstraints"]]
    equal(f"{name}: {app}: all select these pods", [*selectors_of(ours), *spread], [labels] * 5)
    ports = {p["name"] for c in pod["containers"] for p in c.get("ports", [])}
    named = set(re.findall(r'"(?:port|targetPort)": "(\w+)"', json.dumps(ours)))
    equal(f"{name}: {app}: ports that are named", named - ports, set())
    volumes = {v["name"] for v in pod["volumes"]}
    volumes |= {v["metadata"]["name"] for v in spec.get("volumeClaimTemplates", [])}
    equal(f"{name}: {app}: volumes",
          {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}, volumes)
    maps = {o["metadata"]["name"] for o in of_kind(objects, "ConfigMap")}
    wanted = set(re.findall(r'"(?:configMapRef|configMap)": {(?:"defaultMode": \d+, )?"name": "([^"]+)"',
                            json.dumps(pod)))
    check(f"{name}: {app}: ConfigMaps", wanted and wanted <= maps, wanted)


def check_scaling(name, objects):
    target = of_kind(objects, "HorizontalPodAutoscaler")[0]["spec"]["scaleTargetRef"]
    found = [o for o in objects if (o["apiVersion"], o["kind"], o["metadata"]["name"]) ==
             (target["apiVersion"], target["kind"], target["name"])]
    equal(f"{name}: what is scaled is there, and has no number of its own",
          [o["spec"].get("replicas") for o in found], [None])


# --- rights, probes, the end

def check_rights(name, pod):
    equal(f"{name}: no root, and a filter of system calls",
          (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["seccompProfile"]),
          (True, {"type": "RuntimeDefault"}))
    equal(f"{name}: nothing of Kubernetes inside",
          (pod["enableServiceLinks"], pod["automountServiceAccountToken"]), (False, False))
    check(f"{name}: nothing of the node", not re.search(
        r'"(host\w+|privileged|procMount)":', json.dumps(pod)))
    for one in pod["containers"]:
        context = dict(one["securityContext"])
        user = context.pop("runAsUser", pod["securityContext"].get("runAsUser", 0))
        check(f"{name}: {one['name']}: a user that is not root", user > 0, user)
        equal(f"{name}: {one['name']}: rights", context,
              {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
               "capabilities": {"drop": ["ALL"]}})
        check(f"{name}: {one['name']}: memory is limited, a core is asked for",
              "memory" in one["resources"]["limits"] and "cpu" in one["resources"]["requests"])


def check_probes(name, pod):
    nginx, service = container(pod, "nginx"), container(pod, "scoring")
    equal(f"{name}: paths of the probes",
          [nginx[kind]["httpGet"]["path"]
           for kind in ("startupProbe", "readinessProbe", "livenessProbe")],
          ["/healthz", "/readyz", "/openapi.json"])
    equal(f"{name}: commands of the probes",
          [service[kind]["exec"]["command"] for kind in ("startupProbe", "livenessProbe")],
          [["scoring", "healthcheck"]] * 2)
    socket = next(v for v in pod["volumes"] if v["name"] == "socket")
    equal(f"{name}: the socket is in memory", socket["emptyDir"]["medium"], "Memory")
    equal(f"{name}: the socket is where both look for it",
          {m["mountPath"] for c in pod["containers"] for m in c["volumeMounts"]
           if m["name"] == "socket"}, {"/run/scoring"})


def check_end(name, pod):
    """nginx ends before the service, and the service before Kubernetes kills it."""
    waits = {}
    for one in pod["containers"]:
        command, seconds = one["lifecycle"]["preStop"]["exec"]["command"]
        waits[one["name"]] = int(seconds) if command == "sleep" else 0
    template = (TOP / "nginx/nginx.conf.template").read_text()
    nginx_s = int(re.search(r"worker_shutdown_timeout (\d+)s;", template)[1])
    check(f"{name}: the service outlives nginx",
          waits["scoring"] > waits["nginx"] + nginx_s and waits["nginx"] > 0, waits)
    check(f"{name}: nobody is killed",
          pod["terminationGracePeriodSeconds"] > waits["scoring"] + FINISH_S, waits)


# --- the settings are taken

def check_settings(name, objects, binary):
    plain = {"PATH": os.environ["PATH"], "SCORING_CONFIG_FILE": "", **settings_of(objects)}
    for what, more in (("", {}), (" with the variables of a Service", LINKS)):
        done = run(binary, "check-config", env={**plain, **SECRET, **more})
        check(f"{name}: the service takes its settings{what}", done.returncode == 0, done.stderr)
    done = run("sh", "-euc", ". deploy/nginx-settings.sh; nginx_check", cwd=TOP,
               env={"TLS_CERTIFICATE": "", "TLS_KEY": "", **plain})
    equal(f"{name}: nginx takes its settings", (done.returncode, done.stderr), (0, ""))


def check_overlay(name, binary):
    """Checks an overlay, and returns its objects; None if it cannot be rendered."""
    done = run("kubectl", "kustomize", FOLDER / name)
    equal(f"{name}: kubectl kustomize", (done.returncode, done.stderr), (0, ""))
    if done.returncode != 0:
        return None
    objects = list(yaml.safe_load_all(done.stdout))
    pod = pod_of(objects)
    for workload in of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet"):
        check_references(name, workload, objects)
        check_rights(name, workload["spec"]["template"]["spec"])
    check_scaling(name, objects)
    check_probes(name, pod)
    check_end(name, pod)
    check_settings(name, objects, binary)
    return objects


def main():
    binary = os.path.abspath(sys.argv[1])
    for path in sorted(FOLDER.glob("*/*.yaml")):
        try:
            check(f"{path.name} is YAML", list(yaml.safe_load_all(path.read_text())))
        except yaml.YAMLError as fault:
            check(f"{path.name} is YAML", False, fault)
    if shutil.which("kubectl") is None:
        skip("kubectl is not installed")
    else:
        overlays = {name: check_overlay(name, binary) for name in ("base", "sentinel")}
        if not fetch():
            skip("the types of Kubernetes cannot be fetched: is npm installed?")
        elif all(overlays.values()):
            check_types(overlays)
    print(f"{results['passed']} passed, {results['failed']} failed" +
          (f", {results['skipped']} skipped" if results["skipped"] else ""))
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
