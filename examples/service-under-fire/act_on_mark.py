"""What a marked document makes a Python worker do; the same as act-on-mark.mjs."""

import os
import re
import time

MARK = re.compile(r"@@under-fire (linger|slow|deaf|garbage|poison) ([A-Za-z0-9_-]+) ([0-9]+)@@\n")
# Where a worker of troupe speaks its protocol.
PROTOCOL_DESCRIPTOR = 4
EXIT_POISONED = 70


def act_on_mark(text, job, folder):
    match = MARK.match(text)
    if match is None or folder is None:
        return
    mark, token, ms = match.groups()
    path = os.path.join(folder, token)
    again = os.path.exists(path)
    with open(path, "a") as tries:
        tries.write("%d\n" % os.getpid())
    if mark == "poison":
        os._exit(EXIT_POISONED)
    if again:
        return
    if mark == "garbage":
        os.write(PROTOCOL_DESCRIPTOR, b"This is no frame of any protocol.\n")
    if mark == "deaf":
        time.sleep(int(ms) / 1000)
    else:
        job.cancelled.wait(int(ms) / 1000)
        job.check()
