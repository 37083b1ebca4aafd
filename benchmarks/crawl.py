"""``python -m benchmarks.crawl``: histograms from the fixture server, which sleeps before each answer.

Ours against one request after the other with a new connection each, against aiohttp with as many connections,
ten times as many histograms for the memory, and summaries against histograms.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from urllib.parse import quote

from benchmarks.timing import TKSTUDIES, medians, megabytes, report, seconds

PAIRS = 100
PLOTS_OF_A_PAIR = 4
DATASET = "/StreamExpress/Run2018B-Express-v1/DQMIO"


def _serve(pipe: Pipe, latency: float) -> None:
    from tests.cern.server import CernServer

    with CernServer(latency=latency) as server:
        pipe.send(server.env)
        while pipe.recv() == "connections":
            pipe.send(server.connections)
            server.connections = 0


class Server:
    """The fixture server in a process of its own, so that it doesn't take the interpreter from the client."""

    def __init__(self, latency: float):
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(theirs, latency), daemon=True)
        self._process.start()
        self.env: dict[str, str] = self._pipe.recv()

    def connections(self) -> int:
        """How many were made since the last call."""
        self._pipe.send("connections")
        return self._pipe.recv()

    def stop(self) -> None:
        """End the process."""
        self._pipe.send("stop")
        self._process.join()


@contextmanager
def server(latency: float) -> Iterator[Server]:
    """A server, whose services our environment names meanwhile."""
    running = Server(latency)
    os.environ.update(running.env)
    try:
        yield running
    finally:
        running.stop()


def paths(number: int) -> list[str]:
    """The first plots that collisions have."""
    from tkstudies.analysis.histograms.collections import plots

    return [plot.offline for plot in plots("all") if plot.offline and plot.collection != "cosmics"][:number]


def runs(number: int) -> list[int]:
    """Runs of 2018B that have an express dataset."""
    from tests.cern.simulation import World

    world = World(2018)
    found = [run for run in sorted(world.runs) if DATASET in world.dqm_datasets(run)]
    return (found * (number // len(found) + 1))[:number]


def urls(number: int, of_each: int) -> list[str]:
    """What the crawl of these pairs asks for."""
    base = f"{os.environ['TKSTUDIES_DQM_URL']}/offline/jsonfairy/archive"
    return [f"{base}/{run}{DATASET}{quote(path)}" for run in runs(number) for path in paths(of_each)]


# --- contestants, each with the seconds that it took


def one_by_one(wanted: list[str]) -> float:
    """``requests.get``: a new connection for every histogram."""
    import requests

    start = time.perf_counter()
    for url in wanted:
        requests.get(url, timeout=60).json()
    return time.perf_counter() - start


def aiohttp_crawl(wanted: list[str], workers: int) -> float:
    """aiohttp with so many connections, the bodies in the order of the requests."""
    import aiohttp

    async def fetch(session: aiohttp.ClientSession, url: str) -> bytes:
        async with session.get(url) as response:
            return await response.read()

    async def crawl() -> None:
        connector = aiohttp.TCPConnector(limit=workers)
        async with aiohttp.ClientSession(connector=connector) as session:
            with open(os.devnull, "wb") as sink:
                for body in await asyncio.gather(*(fetch(session, url) for url in wanted)):
                    sink.write(body)

    start = time.perf_counter()
    asyncio.run(crawl())
    return time.perf_counter() - start


def our_crawl(number: int, of_each: int, workers: int) -> float:
    """The crawl of ``tkstudies dqm`` in this process, from pairs to histograms made valid."""
    from tkstudies.services.dqm import crawl
    from tkstudies.services.dqm.gui import DqmGui
    from tkstudies.services.dqm.pairs import Pair

    wanted = paths(of_each)
    samples = [crawl.Sample(Pair(run, "express"), DATASET) for run in runs(number)]
    start = time.perf_counter()
    with open(os.devnull, "wb") as sink:
        found = crawl.histograms(DqmGui(workers=workers), samples, lambda sample: wanted, crawl.Asking(workers))
        for outcome in found:
            sink.write(outcome.hist or b"")
    return time.perf_counter() - start


def command(table: Path, of_each: int, output: str = os.devnull) -> list[str]:
    """The whole command."""
    named = [word for path in paths(of_each) for word in ("--plot", path)]
    return [TKSTUDIES, "-q", "dqm", *named, str(table), "-o", output]


# --- benchmarks


def main(rounds: int = 3) -> None:
    """The figures that performance.md asks for."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "runs.jsonl"
        pairs = [{"run_number": run, "reco": "express"} for run in runs(PAIRS)]
        table.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
        with server(0.05):
            wanted = urls(PAIRS, PLOTS_OF_A_PAIR)
            contestants: dict[str, Callable[[], float]] = {
                "requests.get, one by one": lambda: one_by_one(wanted),
                "tkstudies dqm": lambda: seconds(command(table, PLOTS_OF_A_PAIR)),
            }
            title = f"{len(wanted)} histograms of {PAIRS} pairs, 50 ms latency"
            report(title, medians(contestants, rounds), "requests.get, one by one", {"tkstudies dqm": 0.1})
        with server(0.0):
            small, large = (megabytes(command(table, number)) for number in (4, 40))
            verdict = "ok" if large < 1.1 * small else "MISSED"
            print(f"memory: {small:.0f} MB for 400 histograms, {large:.0f} MB for 4,000   {verdict}")
        summaries(Path(folder), rounds)
        for latency in (0.05, 0.02):
            against_aiohttp(latency, rounds)


def summaries(folder: Path, rounds: int) -> None:
    """All plots of the quick collections, without their bins and with them."""
    from tests.cern.simulation import World

    world = World(2018)
    collisions = [run for run in world.runs if any("/StreamExpress/" in name for name in world.dqm_datasets(run))]
    table = folder / "different_runs.txt"
    table.write_text("".join(f"{run} express\n" for run in collisions[:PAIRS]))
    with server(0.05):
        line = [TKSTUDIES, "-q", "dqm", "--collection", "all", str(table), "-o", os.devnull]
        contestants: dict[str, Callable[[], float]] = {
            "dqm": lambda: seconds(line),
            "dqm --summaries": lambda: seconds([*line, "--summaries"]),
        }
        contestants["dqm"]()  # the server makes each histogram once: not while one of them is timed
        contestants["dqm --summaries"]()
        title = f"{PAIRS} runs, 77 plots each, 50 ms latency"
        report(title, medians(contestants, rounds), "dqm", {"dqm --summaries": 0.3})


def against_aiohttp(latency: float, rounds: int) -> None:
    """Rates with as many connections on either side."""
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        print("aiohttp isn't installed: no comparison")
        return
    with server(latency) as running:
        wanted = urls(PAIRS, 8)
        for workers in (8, 16, 32):
            ours: dict[str, Callable[[], float]] = {
                "aiohttp": lambda workers=workers: aiohttp_crawl(wanted, workers),
                "tkstudies": lambda workers=workers: our_crawl(PAIRS, 8, workers),
            }
            bounds = {"tkstudies": 1 / 0.9 if workers < 32 else 1.1}
            running.connections()
            result = medians(ours, rounds)
            title = f"{len(wanted)} histograms, {latency * 1000:.0f} ms latency, {workers} workers"
            made = running.connections()
            report(f"{title}, {made / 2 / rounds:g} connections each", result, "aiohttp", bounds)
            processor = {name: _processor_time(once) / len(wanted) for name, once in ours.items()}
            told = ", ".join(f"{name} {1000 * seconds:.2f} ms" for name, seconds in processor.items())
            print(f"  of the processor, for each: {told}")  # tells more than the clock on a busy machine


def _processor_time(run: Callable[[], float]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()
