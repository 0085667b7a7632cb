"""Jobs in Python: plain functions, coroutines and generators."""

import asyncio

from troupe_worker import serve_worker


def words(args, ctx):
    counts = {}
    for number, line in enumerate(args["lines"], 1):
        ctx.check()  # Raises once the job was cancelled.
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
        ctx.progress({"lines": number})
    return counts


async def greet(args, ctx):
    await asyncio.sleep(0)
    return "hello, %s" % args["name"]


def squares(args, ctx):
    for n in range(args["below"]):
        yield n * n


serve_worker({"words": words, "greet": greet, "squares": squares})
