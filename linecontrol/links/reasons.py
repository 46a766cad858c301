"""Why the operating system could not reach a device, in words that say where to look."""

from __future__ import annotations

import errno
import os
import socket

_WORDS = {
    errno.ECONNREFUSED: "nothing listens there: the PLC's server is off, or the port is wrong",
    errno.EHOSTUNREACH: "there is no way to this address: look at cable, switch and address",
    errno.ENETUNREACH: "there is no way to this network: look at this computer's network settings",
    errno.ETIMEDOUT: "nobody answers at this address: look at power, cable and address",
    errno.ECONNRESET: "the device broke off the connection",
    errno.EPIPE: "the device broke off the connection",
    errno.EACCES: "this user may not open the port: put it into the group of serial ports (dialout)",
    errno.ENOENT: "there is no such port: its adapter is not plugged in, or the name is wrong",
    errno.EBUSY: "another program holds the port",
}


def reason(error: BaseException) -> str:
    """A sentence for a person; the error's own text when there is none for it."""
    if isinstance(error, socket.gaierror):
        return "this host name is not known: look at its spelling, or use the address in numbers"
    if isinstance(error, OSError) and error.errno in _WORDS:
        return _WORDS[error.errno]
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
