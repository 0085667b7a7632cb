import os

from troupe_worker import serve_worker


def add(args, ctx):
    return sum(args)


def die(args, ctx):
    os._exit(7)


serve_worker({"add": add, "die": die})
