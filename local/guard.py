"""Runs one command and ends it when standard input reaches its end.

The stack holds the other end of that pipe, so the command ends with the stack however the stack
ends: Ctrl-C, an exception or SIGKILL. Started as a file with `python -I -S`, hence no imports of
ours and few of anybody's: it is up in a few milliseconds.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

# How long the command may take to end by itself before it is killed.
PATIENCE_SECONDS = 10.0


def main() -> int:
    """argv: stop signal number, user name or '-', then the command. Returns its exit code."""
    stop_signal, user, *command = sys.argv[1:]
    drop = {} if user == "-" else {"user": user, "group": _group_of(user), "extra_groups": []}
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **drop,  # type: ignore[call-overload]
    )

    def stop(*_: object) -> None:
        if child.poll() is None:
            child.send_signal(int(stop_signal))
            threading.Thread(target=_kill_later, args=(child,), daemon=True).start()

    # Ctrl-C in a terminal reaches every process in it; the stack decides the order of stopping.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    code: int = child.wait()
    return code if code >= 0 else 128 - code


def _wait_for_end_of_input(stop: Callable[[], None]) -> None:
    while os.read(0, 4096):
        pass
    stop()


def _kill_later(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    sys.exit(main())
