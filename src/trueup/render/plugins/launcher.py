"""Runs one command apart: without network, other processes, other people's files, and within limits; then ends all of it.

A program of its own (`python -I -S launcher.py <settings> -- <command>`), for none of this can be done safely in a process with
threads. It uses the standard library alone. It writes to a pipe which measures the kernel took: where namespaces are not
allowed the command runs without them, and whoever started it is told.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x4000, 0x40000, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 1, 38, 36
NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    settings, command = json.loads(sys.argv[1]), sys.argv[3:]
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    took = separate()
    report(settings["report"], took)
    child = os.fork()
    if child == 0:
        begin(command, settings, took)
    signal.signal(signal.SIGTERM, lambda *_: end(child))
    status = wait_for(child)
    kill_descendants()
    code = os.waitstatus_to_exitcode(status) if status is not None else 137
    return 128 - code if code < 0 else code


def separate() -> list[str]:
    """Leaves the namespaces of the parent, as far as the kernel lets us; a user namespace makes it possible without rights."""
    took: list[str] = []
    if os.geteuid() != 0:
        user, group = os.geteuid(), os.getegid()
        if LIBC.unshare(NEWUSER) == 0:
            with contextlib.suppress(OSError):
                write("/proc/self/setgroups", "deny")
                write("/proc/self/uid_map", f"{user} {user} 1")
                write("/proc/self/gid_map", f"{group} {group} 1")
                took.append("user")
    for name, flag in (("network", NEWNET), ("mounts", NEWNS), ("ipc", NEWIPC | NEWUTS), ("processes", NEWPID)):
        if LIBC.unshare(flag) == 0:
            took.append(name)
    return took


def begin(command: list[str], settings: dict[str, object], took: list[str]) -> None:
    """In the child. The first process of a namespace is its init: the command is its child, as any program expects to be."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.close(int(str(settings["report"])))
    if "mounts" in took:
        hide(settings["hide"], processes="processes" in took)
    if "processes" not in took:
        run(command, settings, took)
    child = os.fork()
    if child == 0:
        run(command, settings, took)
    status = wait_for(child)
    code = os.waitstatus_to_exitcode(status) if status is not None else 137
    os._exit(128 - code if code < 0 else code)


def run(command: list[str], settings: dict[str, object], took: list[str]) -> None:
    """Becomes the command, without rights and within limits."""
    try:
        if os.geteuid() == 0 and "user" not in took:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        for name, value in settings["limits"].items():  # type: ignore[attr-defined]
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        os.chdir(str(settings["cwd"]))
        os.umask(0o077)
        os.execve(located(command[0]), command, os.environ)  # noqa: S606 no shell is the point
    except FileNotFoundError:
        os.write(2, f"{command[0]}: there is no such command\n".encode())
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def located(name: str) -> str:
    """Where a command is, as the account that we are now may see it. (Of `os` this would import what we may no longer read.)"""
    if "/" in name:
        return name
    for folder in os.environ.get("PATH", "/usr/bin:/bin").split(":"):
        path = f"{folder}/{name}"
        if folder and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(name)


def hide(paths: object, *, processes: bool) -> None:
    """Empty directories in place of what is the controller's alone, and only our own processes in /proc."""
    LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    if processes:
        LIBC.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    for path in paths if isinstance(paths, list) else []:
        if os.path.isdir(path):  # noqa: PTH112 pathlib takes long to import
            LIBC.mount(b"tmpfs", os.fsencode(path), b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, b"size=64k,mode=555")


def wait_for(child: int) -> int | None:
    """The command's status; what its descendants leave is reaped meanwhile."""
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return None
        if pid == child:
            return status


def end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    kill_descendants()


def kill_descendants() -> None:
    """Orphans come to us, whatever session they fled to; until there are none."""
    for _ in range(1000):
        try:
            with open("/proc/thread-self/children", encoding="ascii") as file:  # noqa: PTH123
                children = [int(text) for text in file.read().split()]
        except OSError:
            return
        if not children:
            return
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def report(handle: int, took: list[str]) -> None:
    with contextlib.suppress(OSError):
        os.write(handle, json.dumps(took).encode())


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
