#!/usr/bin/env python3
"""A command of tkstudies on HTCondor at CERN: starts workers there, and gives the command their scheduler.

    python examples/lxplus_dask.py --slots 100 -- tkstudies features hists/ -o features/

On lxplus, in a folder on EOS or AFS that the batch machines see too and others can't read. Python and tkstudies are
in such a folder as well, and of the LCG release only its Python is used:

    . /cvmfs/sft.cern.ch/lcg/views/LCG_107/x86_64-el9-gcc14-opt/setup.sh && unset PYTHONPATH
    python -m venv ~/tk && . ~/tk/bin/activate
    pip install 'tkstudies[dask] @ git+https://REPOSITORY' dask-lxplus

Nobody else on these machines can talk to the scheduler: it takes certificates, which are in a folder that only you
can read and that goes when this ends. Jobs get PATH and where Python finds its modules, nothing else of your
environment.

A job whose worker is lost (its time is over, its machine goes down, it was killed) is replaced, and what it was at is
done again; one that ends before its worker has ever reported isn't. All jobs are removed when this ends, also by
Ctrl-C, and the exit code is that of the command. A second call of the same command goes on where the first one
stopped.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

FLAVOURS = ("espresso", "microcentury", "longlunch", "workday", "tomorrow")
"""How long a job may take at CERN: 20 minutes, 1 hour, 2 hours, 8 hours, 1 day."""

PORTS = 15
"""So many are tried, as others on lxplus may have a scheduler, too."""

ALIVE = {"1", "2", "6", "7"}
"""HTCondor's numbers for jobs that wait, run, write their output, or are suspended."""

ENVIRONMENT = "PATH, LD_LIBRARY_PATH, PYTHONPATH, PYTHONHOME"
"""What jobs get: everybody can read the description of a job, so it has nothing else in it."""

TLS = "DASK_DISTRIBUTED__COMM__TLS__"

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """What goes wrong, in one line for the user."""


def main() -> int:
    """Start the cluster, run the command, and give its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=50, help="jobs of one core each (50)")
    parser.add_argument("--memory", default="2000MB", help="of each; a file of 100 MB needs about 300 MB (2000MB)")
    parser.add_argument("--disk", default="5GB", help="of each (5GB)")
    parser.add_argument("--flavour", choices=FLAVOURS, default="longlunch", help="longest time of a job (longlunch)")
    parser.add_argument("--port", type=int, default=8786, help="of the scheduler, or the next one that is free (8786)")
    parser.add_argument("--look", type=float, default=30, help="seconds after which lost jobs are looked for (30)")
    parser.add_argument("--logs", help="folder under /eos/user or /eos/home-... for what jobs say that end (none)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- tkstudies ... without --jobs")
    chosen = parser.parse_args()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        parser.error("no command: end with -- tkstudies ...")
    if chosen.slots < 1 or not 0 <= chosen.port < 2**16:
        parser.error("--slots: at least 1; --port: 0 (any) to 65535")
    if chosen.logs and not os.path.abspath(chosen.logs).startswith(("/eos/user/", "/eos/home-")):
        parser.error(f"--logs {chosen.logs}: expected a folder of yours on EOS, where batch machines can write")
    for number in ENDS[1:]:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    logging.captureWarnings(True)  # dask-lxplus lifts all filters, and what then comes is for programmers
    try:
        for program in (command[0], "condor_submit"):
            if not shutil.which(program):
                raise Failed(f"{program}: no such program here (run this on lxplus, in the environment of tkstudies)")
        with certificates() as (security, files), jobs(chosen, security) as (cluster, mine):
            wait_for_one(cluster, mine, chosen.look)
            return run([*command, "--jobs", f"dask:{cluster.scheduler_address}"], files, cluster, chosen)
    except ImportError as error:
        print(f"lxplus_dask: {error}: pip install 'tkstudies[dask]' dask-lxplus", file=sys.stderr)
        return 1
    except (Failed, OSError, ValueError, RuntimeError) as error:  # the last two: options that Dask doesn't take
        print(f"lxplus_dask: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lxplus_dask: interrupted", file=sys.stderr)
        return 130


@contextmanager
def certificates() -> Iterator[tuple[Any, dict[str, str]]]:
    """Certificates for this one cluster, and the variables that tell the command where they are."""
    from distributed.security import Security

    made = Security.temporary()
    with TemporaryDirectory(prefix=".dask-", dir=Path.cwd()) as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        key.touch(mode=0o600)
        key.write_text(made.tls_worker_key)
        certificate.write_text(made.tls_worker_cert)
        roles = ("client", "scheduler", "worker")
        security = Security(
            require_encryption=True,
            tls_ca_file=str(certificate),
            **{f"tls_{role}_key": str(key) for role in roles},
            **{f"tls_{role}_cert": str(certificate) for role in roles},
        )
        files = {"CA_FILE": certificate, "CLIENT__CERT": certificate, "CLIENT__KEY": key}
        yield security, {f"{TLS}{name}": str(file) for name, file in files.items()}


@contextmanager
def jobs(chosen: argparse.Namespace, security: Any) -> Iterator[tuple[Any, str]]:
    """A scheduler here and its jobs on HTCondor, all of which are gone at the end; what HTCondor knows them by."""
    from dask_lxplus import CernCluster

    signal.signal(signal.SIGINT, signal.default_int_handler)  # dask-jobqueue makes Ctrl-C exit code 0 when imported
    name = f'"{uuid4().hex}"'
    mine = f"TkstudiesCluster == {name}"
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # condor_submit inherits it: a job is submitted, or it isn't
    try:
        with CernCluster(
            cores=1,
            memory=chosen.memory,
            disk=chosen.disk,
            death_timeout="60",
            nanny=False,
            security=security,
            container_runtime="none",
            log_directory=os.path.abspath(chosen.logs) if chosen.logs else None,
            scheduler_options={
                "host": socket.gethostname(),
                "port": free_port(chosen.port),
                "dashboard": False,  # what anybody could look at
                "dashboard_address": "127.0.0.1:0",
            },
            worker_extra_args=["--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
            # not lcg=True, which would write the whole environment into the description of the jobs
            job_extra_directives={
                "getenv": ENVIRONMENT,
                "MY.JobFlavour": f'"{chosen.flavour}"',
                "MY.TkstudiesCluster": name,
            },
            silence_logs=logging.CRITICAL,
        ) as cluster:
            try:
                submit(cluster, chosen.slots)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
                yield cluster, mine
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # all jobs have to go first
    finally:  # those of which Dask doesn't know, as it was interrupted, and those that have ended
        subprocess.run(["condor_rm", "-constraint", mine], capture_output=True, check=False)


def free_port(first: int) -> int:
    """The first port from there on that nobody has here."""
    for port in range(first, first + PORTS):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((socket.gethostname(), port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port
    raise Failed(f"no port from {first} to {first + PORTS - 1} is free here: log in to another machine")


def submit(cluster: Any, slots: int) -> None:
    """Submit as many jobs as are missing; what scale() of Dask does, which would hide that one fails."""
    while len(cluster.worker_spec) < slots:
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        cluster.sync(cluster._correct_state)
    except (RuntimeError, ValueError, OSError) as error:
        for name, job in list(cluster.workers.items()):
            if job.job_id is None:  # Dask takes it for submitted
                job.status = type(job.status).failed
                del cluster.workers[name]
        raise Failed(f"condor_submit: {str(error).strip().splitlines()[-1]}") from None


def wait_for_one(cluster: Any, mine: str, look: float) -> None:
    """Wait for the first worker as long as there are jobs that may become one."""
    looked = time.monotonic()
    while not cluster.scheduler.workers:
        time.sleep(0.1)
        if time.monotonic() - looked > look:
            looked = time.monotonic()
            found = subprocess.run(
                ["condor_q", "-constraint", mine, "-af", "JobStatus"], capture_output=True, text=True, check=False
            )
            if found.returncode == 0 and not ALIVE & set(found.stdout.split()):
                raise Failed("all jobs have ended or are held, and no worker has reported: --logs keeps what they say")


def run(command: list[str], files: dict[str, str], cluster: Any, chosen: argparse.Namespace) -> int:
    """Run the command, and replace jobs that are lost meanwhile."""
    process = subprocess.Popen(command, env={**os.environ, **files})
    try:
        while True:
            with suppress(KeyboardInterrupt):  # which the command has got as well, and ends in its own way
                try:
                    code = process.wait(chosen.look)
                    return code if code >= 0 else 128 - code
                except subprocess.TimeoutExpired:
                    replace_lost(cluster, chosen)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def replace_lost(cluster: Any, chosen: argparse.Namespace) -> None:
    """Submit jobs in the place of lost ones."""
    if lost := len(cluster.worker_spec) - len(cluster.workers):
        print(f"lxplus_dask: {lost} of {chosen.slots} jobs are lost, and submitted anew", file=sys.stderr)
    try:
        submit(cluster, chosen.slots)
    except Failed as error:
        print(f"lxplus_dask: {error} (tried again in {chosen.look:.0f} s)", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
