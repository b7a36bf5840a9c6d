"""Real servers for checks to look at: started on free ports of loopback, gone at the end of the block."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.certificates import Certificate
from tests.integration.harness import free_port
from tests.programs import program

PATIENCE = 30.0


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of *command* once *ready* says so; killed at the end, with everything that it started."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=log.parent,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            process_group=0,
        )
    try:
        ends = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"{command[0]} did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def listens(port: int) -> bool:
    """Whether somebody accepts connections on *port* of loopback."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def owner(folder: Path) -> str | None:
    """A user who is not root, made owner of *folder*; nobody in particular when we are not root either."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    for parent in [folder, *folder.parents]:  # pytest's folders let nobody else through
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return user.pw_name


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[int]:
    """A Redis without persistence; yields its port."""
    port = free_port()
    where = ("--tls-port", str(port), "--port", "0") if "--tls-cert-file" in options else ("--port", str(port))
    command = [program("redis-server"), *where, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running([*command, *options], folder / "redis.log", lambda: listens(port)):
        yield port


@contextmanager
def postgres_server(folder: Path, *, password: str, settings: Sequence[str] = ()) -> Iterator[int]:
    """A PostgreSQL that asks the user postgres for *password* over TCP; its socket is in *folder*. Yields its port."""
    initdb, postgres = Path(program("initdb")).resolve(), Path(program("postgres")).resolve()
    user = owner(folder)
    data = folder / "data"
    secret = folder / "password"
    secret.write_text(password)
    common = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--username=postgres"]
    subprocess.run(
        [initdb, "-D", data, "-A", "scram-sha-256", "--auth-local=trust", f"--pwfile={secret}", *common],
        check=True,
        capture_output=True,
        user=user,
        extra_groups=[] if user else None,
        cwd=folder,
    )
    port = free_port()
    options = ["fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "max_connections=20"]
    command = [str(postgres), "-D", str(data), "-p", str(port)]
    command += [word for option in [*options, *settings] for word in ("-c", option)]
    log = folder / "postgres.log"

    def ready() -> bool:
        return log.exists() and b"ready to accept connections" in log.read_bytes()

    with running(command, log, ready, user=user) as process:
        yield port
        process.send_signal(2)  # SIGINT: at once, without waiting for who is connected


def with_tls(certificate: Certificate) -> list[str]:
    """Settings of a PostgreSQL that shows *certificate*, whose key only its own user may read."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(certificate.key_file, user.pw_uid, user.pw_gid)
    return ["ssl=on", f"ssl_cert_file={certificate.file}", f"ssl_key_file={certificate.key_file}"]


@contextmanager
def nats_server(folder: Path, *options: str) -> Iterator[int]:
    """A NATS server; yields its port."""
    port = free_port()
    command = [program("nats-server"), "-a", "127.0.0.1", "-p", str(port), *options]
    with running(command, folder / "nats.log", lambda: listens(port)):
        yield port


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[int]:
    """A RabbitMQ with a node, a port mapper and folders of its own; yields its port."""
    launcher = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's command wants to be root
    server = str(launcher) if launcher.exists() else program("rabbitmq-server")
    program("rabbitmq-server")
    user = owner(folder)
    port, mapper, dist = free_port(), free_port(), free_port()
    (folder / "enabled_plugins").write_text("[].")
    env = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"sidecar{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
    }
    epmd = [shutil.which("epmd") or "epmd", "-port", str(mapper), "-address", "127.0.0.1"]
    with (
        running(epmd, folder / "epmd.log", lambda: listens(mapper), env=env, user=user),
        running([server], folder / "rabbit.log", lambda: listens(port), env=env, user=user),
    ):
        yield port
