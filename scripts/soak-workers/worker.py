"""A worker of the soak: it answers, and dies when it is told to."""

import os
import signal

from troupe_worker import serve_worker


def answer(args, ctx):
    number = args["number"]
    return {"number": number, "text": "x" * (number % 100)}


def die(args, ctx):
    os.kill(os.getpid(), signal.SIGKILL)


serve_worker({"answer": answer, "die": die})
