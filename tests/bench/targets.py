"""The targets of measurements, by name; each starts when it is first used."""
import os

import workloads
from servers import Delay, Nginx, Redis, Stack


class Targets:
    """
    service        the service, with its default settings
    service, N     with N workers
    service, N ms  with a Redis whose replies take N ms more
    against        the other binary of the service
    echo, nginx    the ceilings
    """

    def __init__(self, folder, binary, tools, against=None):
        self.folder = folder
        self.tools = tools  # of delay, echo, rate
        self.binaries = {"service": binary, "against": against}
        self.running = []
        self.found = {}
        self.redis = self.start(Redis(folder, workloads.redis_contents()))
        self.redis.refresh()

    def start(self, thing):
        self.running.append(thing)
        thing.start()
        return thing

    def stop(self):
        for thing in self.running[::-1]:
            thing.stop()

    def tool(self, name):
        return os.path.join(self.tools, name)

    def get(self, name):
        if name not in self.found:
            self.found[name] = self.start(self.make(name))
        return self.found[name]

    def make(self, name):
        place = os.path.join(self.folder, name.replace(", ", "-").replace(" ", ""))
        if name == "nginx":
            return Nginx(place, self.get("service"))
        if name == "echo":
            return Stack(
                place, self.tool("echo"), self.redis.url, self.binaries["service"]
            )
        kind, _, setting = name.partition(", ")
        binary = self.binaries[kind]
        if setting.endswith(" ms"):
            way = Delay(self.folder, self.tool("delay"), self.redis, int(setting[:-3]))
            return Stack(place, binary, self.start(way).url)
        if setting:
            return Stack(place, binary, self.redis.url, SCORING_WORKERS=setting)
        return Stack(place, binary, self.redis.url)
