"""A worker in Python: counts what is in a document, exactly as worker.mjs does."""

import os

from act_on_mark import act_on_mark
from count_text import count_text
from troupe_worker import serve_worker

FOLDER = os.environ.get("TROUPE_DEMO_FOLDER")


def count(args, job):
    act_on_mark(args["text"], job, FOLDER)
    return {**count_text(args["text"]), "worker": {"pid": os.getpid(), "language": "python"}}


serve_worker({"count": count})
