"""Real servers for checks to look at: started on free ports of loopback, gone at the end of the block."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

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


@contextmanager
def home() -> Iterator[tuple[Path, str | None]]:
    """A folder for a server that refuses to be root, and the user to run it as; None: as whom we are.

    Not one of pytest's: each session of its closes their parent to everybody else.
    """
    with TemporaryDirectory(prefix="sidecar-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder, None
            return
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder, user.pw_name


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[int]:
    """A Redis without persistence; yields its port."""
    port = free_port()
    where = ("--tls-port", str(port), "--port", "0") if "--tls-cert-file" in options else ("--port", str(port))
    command = [program("redis-server"), *where, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running([*command, *options], folder / "redis.log", lambda: listens(port)):
        yield port


@dataclass(frozen=True)
class Postgres:
    """A server that runs: its port on loopback, and the folder of its socket."""

    port: int
    folder: Path


@contextmanager
def postgres_server(
    *, password: str, certificate: Certificate | None = None, settings: Sequence[str] = ()
) -> Iterator[Postgres]:
    """A PostgreSQL that asks the user postgres for *password* over TCP, and shows *certificate*."""
    initdb, postgres = Path(program("initdb")).resolve(), Path(program("postgres")).resolve()
    with home() as (folder, user):
        data, log, secret = folder / "data", folder / "postgres.log", folder / "password"
        secret.write_text(password)
        command = [str(initdb), "-D", str(data), "-A", "scram-sha-256", "--auth-local=trust", f"--pwfile={secret}"]
        command += ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--username=postgres"]
        subprocess.run(
            command, check=True, capture_output=True, user=user, extra_groups=[] if user else None, cwd=folder
        )
        options = ["fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "max_connections=20"]
        if certificate is not None:
            options += ["ssl=on", *_files(certificate, folder, user)]
        port = free_port()
        command = [str(postgres), "-D", str(data), "-p", str(port)]
        command += [word for option in [*options, *settings] for word in ("-c", option)]

        def ready() -> bool:
            return log.exists() and b"ready to accept connections" in log.read_bytes()

        with running(command, log, ready, user=user) as process:
            yield Postgres(port, folder)
            process.send_signal(signal.SIGINT)  # at once, without waiting for who is connected


def _files(certificate: Certificate, folder: Path, user: str | None) -> list[str]:
    """Settings with copies of *certificate* whose key only the server may read."""
    copies = [Path(shutil.copy(file, folder)) for file in (certificate.file, certificate.key_file)]
    if user:
        shutil.chown(copies[1], user)
    copies[1].chmod(0o600)
    return [f"ssl_cert_file={copies[0]}", f"ssl_key_file={copies[1]}"]


@contextmanager
def nats_server(folder: Path, *options: str) -> Iterator[int]:
    """A NATS server; yields its port."""
    port = free_port()
    command = [program("nats-server"), "-a", "127.0.0.1", "-p", str(port), *options]
    with running(command, folder / "nats.log", lambda: listens(port)):
        yield port


@contextmanager
def rabbitmq_server() -> Iterator[int]:
    """A RabbitMQ with a node, a port mapper and folders of its own; yields its port."""
    launcher = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's command wants to be root
    server = program("rabbitmq-server")
    port, mapper, dist = free_port(), free_port(), free_port()
    with home() as (folder, user):
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
            # One scheduler that does not spin while it waits: others are at work here, too.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        epmd = [program("epmd"), "-port", str(mapper), "-address", "127.0.0.1"]
        command = [str(launcher) if launcher.exists() else server]
        with (
            running(epmd, folder / "epmd.log", lambda: listens(mapper), env=env, user=user),
            running(command, folder / "rabbit.log", lambda: listens(port), env=env, user=user),
        ):
            yield port
