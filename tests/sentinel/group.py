"""A master with two replicas and three sentinels: real servers on loopback, which can be
killed and frozen."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from stack import Redis, free_port, wait_until  # noqa: E402

NAME = "mymaster"
DOWN_AFTER_MS = 1000
ASKER = "asker"  # a user of the sentinels, with the rights of docs/operations.md
ASKER_RIGHTS = ("-@all +hello +ping +sentinel|master +sentinel|get-master-addr-by-name "
                "+sentinel|sentinels +sentinel|myid")
START_LIMIT_S = 30


class Server(Redis):
    """A server of the group on its own port; it may be a sentinel, and frozen."""

    limit_s = 1.0

    def __init__(self, folder, name, settings, *arguments, password=""):
        super().__init__(Path(folder) / name, settings, *arguments, port=free_port(),
                         password=password)

    def role(self):
        try:
            return self.run("ROLE")[0]
        except (OSError, ValueError):
            return None


class Group:
    """has_names: sentinels announce host names, and only ASKER may query them."""

    def __init__(self, folder, password="", sentinel_password="", sentinels=3,
                 has_names=False):
        host = "localhost" if has_names else "127.0.0.1"
        auth = f"requirepass {password}\nmasterauth {password}\n" if password else ""
        data = 'save ""\nrepl-diskless-sync-delay 0\nrepl-timeout 5\n' + auth
        data += f"replica-announce-ip {host}\n"
        self.data = [Server(folder, "data0", data, password=password)]
        for i in (1, 2):
            self.data.append(Server(folder, f"data{i}",
                                    data + f"replicaof {host} {self.data[0].port}\n",
                                    password=password))
        watch = (f"sentinel announce-ip {host}\n"
                 f"sentinel resolve-hostnames {'yes' if has_names else 'no'}\n"
                 f"sentinel announce-hostnames {'yes' if has_names else 'no'}\n"
                 f"sentinel monitor {NAME} {host} {self.data[0].port} 2\n"
                 f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
                 f"sentinel failover-timeout {NAME} 3000\n")
        if password:
            watch += f"sentinel auth-pass {NAME} {password}\n"
        if sentinel_password:
            watch += (f"requirepass {sentinel_password}\n"
                      f"sentinel sentinel-pass {sentinel_password}\n")
        if has_names:
            watch += f"user {ASKER} on >{sentinel_password} {ASKER_RIGHTS}\n"
        self.sentinels = [Server(folder, f"sentinel{i}", watch, "--sentinel",
                                 password=sentinel_password) for i in range(sentinels)]

    def start(self):
        for server in self.data:
            server.start()
        wait_until(self.is_linked, START_LIMIT_S, "the replicas are not linked")
        for sentinel in self.sentinels:
            sentinel.start()
        wait_until(self.is_agreed, START_LIMIT_S, "the sentinels do not agree")

    def is_linked(self):
        try:
            return all(server.run("ROLE")[3] == "connected" for server in self.data[1:])
        except (OSError, ValueError, IndexError):
            return False

    def is_agreed(self):
        """Whether all sentinels know each other and both replicas, and name one master."""
        try:
            views = [dict_of(s.run("SENTINEL", "MASTER", NAME)) for s in self.sentinels]
        except (OSError, ValueError):
            return False
        return (len({view["port"] for view in views}) == 1 and
                all(view["num-other-sentinels"] == str(len(views) - 1) and
                    view["num-slaves"] == "2" and view["flags"] == "master"
                    for view in views))

    def named(self, sentinel):
        try:
            return int(sentinel.run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME,
                                    limit_s=0.2)[1])
        except (OSError, ValueError, TypeError):
            return None

    def master(self):
        """The server that the sentinel with the highest epoch names, or None."""
        best = (-1, None)
        for sentinel in self.sentinels:
            try:
                view = dict_of(sentinel.run("SENTINEL", "MASTER", NAME, limit_s=0.2))
            except (OSError, ValueError):
                continue
            best = max(best, (int(view["config-epoch"]), self.named(sentinel) or 0))
        return next((s for s in self.data if s.port == best[1]), None)

    def epoch(self):
        best = -1
        for sentinel in self.sentinels:
            try:
                view = dict_of(sentinel.run("SENTINEL", "MASTER", NAME, limit_s=0.2))
                best = max(best, int(view["config-epoch"]))
            except (OSError, ValueError):
                pass
        return best

    def is_settled(self):
        """Whether there is one master, linked to both replicas, and sentinels agree."""
        master = self.master()
        if master is None or master.role() != "master" or not self.is_agreed():
            return False
        try:
            return all(s is master or s.run("ROLE")[2:4] == [master.port, "connected"]
                       for s in self.data)
        except (OSError, ValueError, IndexError):
            return False

    def stop(self):
        for server in self.data + self.sentinels:
            server.thaw()
            server.kill()


def dict_of(pairs):
    return dict(zip(pairs[::2], pairs[1::2]))


def now():
    return time.monotonic()
