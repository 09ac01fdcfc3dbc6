"""The exit codes, the same in every command and output format."""

from enum import IntEnum


class Exit(IntEnum):
    """What the process says to its caller when it ends."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    FAILED = 3
    WARNED = 4
    UNKNOWN = 5
    PENDING = 6
    REFUSED = 7
    DECLINED = 8
    STOPPED = 9
    UNDONE = 10
    INTERRUPTED = 130
    TERMINATED = 143
