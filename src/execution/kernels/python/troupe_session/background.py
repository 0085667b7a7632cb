"""The session's event loop, from the moment that somebody needs one: asyncio is slow to load, and most code never asks.

Kept true: background tasks of the user go on between executions, since the main thread runs the loop whenever it has nothing else
to do. Code of a REPL that does not await can still start tasks, as if the loop ran, and can still call `asyncio.run`.
"""

import sys

from .interruption import driving, transparent


class Background:
    def __init__(self, interruption):
        self._interruption = interruption
        #: None until it is needed.
        self.loop = None

    @property
    def tasks(self):
        """How many tasks of the user's there are."""
        if self.loop is None:
            return 0
        # Asked from another thread too: the loop's own registry may change under us.
        for _attempt in range(8):
            try:
                current = self._interruption.current
                own = None if current is None else current.task
                return sum(1 for task in _asyncio().all_tasks(self.loop) if task is not own)
            except RuntimeError:
                continue
        return 0

    def is_wanted(self, source):
        return self.loop is not None or "asyncio" in source or "asyncio" in sys.modules

    def ensure(self):
        """The loop, made if need be: also where user code has closed the last one."""
        asyncio = _asyncio()
        if self.loop is None or self.loop.is_closed():
            if self.loop is None:
                _let_run(asyncio, self)
                self._interruption.runs_task_of = self._runs_task_of
            self.loop = _loop_class(asyncio)()
        asyncio.set_event_loop(self.loop)
        return self.loop

    def wake(self):
        """From another thread: has the main thread look up from the loop."""
        loop = self.loop
        if loop is not None:
            self.call_soon(loop.stop)

    def call_soon(self, function, *args):
        """From another thread. A loop that user code has closed calls nothing."""
        loop = self.loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            pass

    def turn(self):
        """Runs the loop until somebody stops it. What a background task throws at the thread ends here."""
        try:
            driving(self.ensure() if self.loop.is_closed() else self.loop)
        except (KeyboardInterrupt, SystemExit) as error:
            return error
        return None

    def await_job(self, job, coroutine):
        """Runs a coroutine as a job's own task, to its end, and returns its result or raises what it raised."""
        loop = self.loop
        job.task = task = loop.create_task(coroutine)
        task.add_done_callback(lambda _task: loop.stop())
        while not task.done():
            error = self.turn()
            if error is not None and not task.done():
                complain(error)
        return task.result()

    def cancel_task(self, job):
        """In the loop: cancels a job's task, unless it was broken into before the loop got here."""
        task = job.task
        if task is not None and not task.done() and self._interruption.take(job):
            task.cancel(job.reason)

    def close(self):
        """The session ends: every task is cancelled and may clean up, for as long as the service lets it."""
        loop = self.loop
        if loop is None or loop.is_closed():
            return
        asyncio = _asyncio()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            gathered = asyncio.gather(*tasks, return_exceptions=True)
            gathered.add_done_callback(lambda _all: loop.stop())
            while not gathered.done():
                self.turn()

    def appear_running(self):
        """For code that does not await: tasks can be started; they run when it is done."""
        _asyncio()._set_running_loop(self.loop)

    def appear_idle(self):
        _asyncio()._set_running_loop(None)

    def _runs_task_of(self, job):
        if job.task is None:
            return True
        return _asyncio().current_task(self.loop) is job.task


def complain(error):
    """Of what nobody awaits."""
    import traceback

    try:
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    except Exception:  # Nothing is to be done about a standard error that does not work.
        pass


def _asyncio():
    import asyncio

    return asyncio


def _loop_class(asyncio):
    class SessionLoop(asyncio.SelectorEventLoop):
        def _check_running(self):
            if not self.is_running() and asyncio._get_running_loop() is self:
                asyncio._set_running_loop(None)
            super()._check_running()

    return SessionLoop


def _let_run(asyncio, background):
    """`asyncio.run` refuses where a loop runs; where ours only appears to, it must not."""

    def letting(function):
        @transparent
        def run(*args, **options):
            loop = background.loop
            only_appears = asyncio._get_running_loop() is loop and not loop.is_running()
            if not only_appears:
                return function(*args, **options)
            asyncio._set_running_loop(None)
            try:
                return function(*args, **options)
            finally:
                asyncio._set_running_loop(loop)
                asyncio.set_event_loop(loop)

        return run

    asyncio.run = asyncio.runners.run = letting(asyncio.run)
    if hasattr(asyncio, "Runner"):
        asyncio.Runner.run = letting(asyncio.Runner.run)
