"""Files below the folders that a policy names, and no others.

Kept true: what is checked is what was opened. A path is opened first, and the opened file's own place is looked at then; no link
that changes in between makes a difference. Only regular files are opened; what is read is bounded in bytes and in time.
A second name of a file (a hard link) is a name like any other.
"""

import errno
import os
import stat
import sys
import time

_PIECE_BYTES = 1_048_576
_F_GETPATH = 50  # fcntl(2) of macOS


class OutsideRoots(Exception):
    """The file is not where it may be."""


class Files:
    def __init__(self, policy):
        self._policy = policy
        self._roots = [
            (os.path.realpath(root["path"]), bool(root.get("write"))) for root in policy.roots if "path" in root
        ]

    def read(self, path):
        limit = self._policy.read_max_bytes
        deadline = time.monotonic() + self._policy.read_timeout_ms / 1_000
        descriptor = self._open_reading(path)
        try:
            pieces = []
            size = 0
            while True:
                piece = os.read(descriptor, min(_PIECE_BYTES, limit + 1 - size))
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise _too_large(path, limit)
                if time.monotonic() > deadline:
                    raise TimeoutError("reading %s took longer than %d ms" % (path, self._policy.read_timeout_ms))
        finally:
            os.close(descriptor)

    def write(self, path, data, append):
        descriptor = self.open(path, "ab" if append else "wb")
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        return len(data)

    def open(self, path, mode):
        """A descriptor, positioned and emptied as the mode says."""
        if any(letter in mode for letter in "wax+"):
            return self._open_writing(path, mode)
        return self._open_reading(path)

    def _open_reading(self, path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._judge(descriptor, path, False)
            size = os.fstat(descriptor).st_size
            if size > self._policy.read_max_bytes:
                raise _too_large(path, self._policy.read_max_bytes)
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise

    def _open_writing(self, path, mode):
        flags = os.O_RDWR if "+" in mode else os.O_WRONLY
        flags |= os.O_CLOEXEC | os.O_NONBLOCK
        if "a" in mode:
            flags |= os.O_APPEND
        descriptor = self._created(path, mode, flags)
        try:
            self._judge(descriptor, path, True)
            if "w" in mode:
                os.ftruncate(descriptor, 0)
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise

    def _created(self, path, mode, flags):
        """Opens for writing. A file is created only in a folder that was looked at, by its own descriptor."""
        if "r" in mode:
            return os.open(path, flags)
        folder, name = os.path.split(os.path.join(os.getcwd(), os.fspath(path)))
        if name in ("", ".", ".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        where = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            self._judge_place(_place_of(where, folder), path, True)
            create = os.O_CREAT | os.O_NOFOLLOW | (os.O_EXCL if "x" in mode else 0)
            try:
                return os.open(name, flags | create, 0o666, dir_fd=where)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EMLINK):
                    raise
            # A link: followed, never created through, and judged by where it led.
            return os.open(name, flags, dir_fd=where)
        finally:
            os.close(where)

    def _judge(self, descriptor, path, writes):
        self._judge_place(_place_of(descriptor, path), path, writes)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutsideRoots("%s is no regular file" % (path,))
        os.set_blocking(descriptor, True)

    def _judge_place(self, place, path, writes):
        if self._policy.is_unrestricted:
            return
        for root, may_write in self._roots:
            if (may_write or not writes) and (place == root or place.startswith(root.rstrip(os.sep) + os.sep)):
                return
        raise OutsideRoots(
            "%s is not below a folder that this session may %s" % (path, "write to" if writes else "read")
        )


def _place_of(descriptor, path):
    """Where an open file really is."""
    if sys.platform == "darwin":
        import fcntl

        return fcntl.fcntl(descriptor, _F_GETPATH, bytes(1_024)).rstrip(b"\0").decode()
    try:
        return os.readlink("/proc/self/fd/%d" % descriptor)
    except OSError:  # No /proc: the path as it leads now, which is the best that can be had.
        return os.path.realpath(path)


def _too_large(path, limit):
    return OSError(errno.EFBIG, "it has more than the %d bytes that may be read" % (limit,), str(path))
