#!/usr/bin/env python3
"""A command of tkstudies on HTCondor at CERN: starts workers there, and gives the command their scheduler.

    python examples/lxplus_dask.py --slots 100 -- tkstudies features hists/ -o features/

On lxplus, in a folder on EOS or AFS that the batch machines see too, with the same tkstudies for both:

    . /cvmfs/sft.cern.ch/lcg/views/LCG_107/x86_64-el9-gcc14-opt/setup.sh
    python -m venv --system-site-packages ~/tk && . ~/tk/bin/activate
    pip install 'tkstudies[dask] @ git+https://REPOSITORY' dask-lxplus

Workers leave when this ends. Jobs that are killed (their time is over, a machine goes down) are replaced, and what
they were at is done again. A second call of the same command goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys

FLAVOURS = ("espresso", "microcentury", "longlunch", "workday", "tomorrow")
"""How long a job may take at CERN: 20 minutes, 1 hour, 2 hours, 8 hours, 1 day."""


def main() -> int:
    """Start the cluster, run the command, and give its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=50, help="jobs of one core each (50)")
    parser.add_argument("--memory", default="2000MB", help="of each; a file of 100 MB needs about 300 MB (2000MB)")
    parser.add_argument("--disk", default="5GB", help="of each (5GB)")
    parser.add_argument("--flavour", choices=FLAVOURS, default="longlunch", help="longest time of a job (longlunch)")
    parser.add_argument(
        "--port", type=int, default=8786, help="of the scheduler: 8786 to 8800 are open on lxplus (8786)"
    )
    parser.add_argument("--logs", default="condor-logs", help="folder for what the jobs say (condor-logs)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- tkstudies ... without --jobs")
    chosen = parser.parse_args()
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        parser.error("no command: end with -- tkstudies ...")
    try:
        from dask_lxplus import CernCluster
    except ImportError:
        print("dask-lxplus isn't installed: pip install dask-lxplus (on lxplus)", file=sys.stderr)
        return 1
    with CernCluster(
        cores=1,
        memory=chosen.memory,
        disk=chosen.disk,
        death_timeout="600",
        lcg=True,
        nanny=False,
        container_runtime="none",
        log_directory=chosen.logs,
        scheduler_options={"port": chosen.port, "host": socket.gethostname()},
        job_extra={"MY.JobFlavour": f'"{chosen.flavour}"'},
    ) as cluster:
        cluster.scale(jobs=chosen.slots)
        return subprocess.call([*command, "--jobs", f"dask:{cluster.scheduler_address}"])


if __name__ == "__main__":
    sys.exit(main())
