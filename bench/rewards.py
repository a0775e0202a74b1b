"""Rewards for trainers, from the Python client to a daemon of this checkout: ratios measured in one run.

    python bench/rewards.py latency     one 512² raw sample: what is added to inference
    python bench/rewards.py crowd       32 processes of 64 images: failures, fairness, memory, throughput
    python bench/rewards.py equal       256 images one by one, in a batch, shuffled, from 8 clients
    python bench/rewards.py restart     1000 requests while the daemon is killed and started again
    python bench/rewards.py plain       beside a plain reward server of the same network: 1, 8, 32 clients

Needs Node and its packages (npm ci), and the client (pip install ./python-shim); `plain` needs more:
pip install flask gunicorn onnxruntime tokenizers pillow
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "python-shim"), str(ROOT / "python-shim/tests")]

import side_by_side  # noqa: E402
from assay_client import AssayClient, AssayFailure  # noqa: E402
from pictures import PROMPT, pictures  # noqa: E402
from real_daemon import ended, rows_by_item, started  # noqa: E402


@contextmanager
def daemon(config: dict | None = None):
    """A daemon and its address."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        settings = Path(folder, "config.json")
        settings.write_text(json.dumps(config or {}))
        process, url = started("--port", "0", "--data-dir", folder, "--config", str(settings))
        try:
            with AssayClient(url) as assay:
                assay.score(pictures(2, seed=10**6), PROMPT)  # the scorer is loaded
            yield process, url
        finally:
            ended(process)


def latency(args: argparse.Namespace) -> dict:
    added, trips, outside = [], [], []
    with daemon() as (_, url), AssayClient(url) as assay:
        for image in pictures(args.requests, seed=1):
            begun = time.perf_counter()
            result = assay.score(image, PROMPT)[0]
            trips.append(1000 * (time.perf_counter() - begun))
            timings = result.raw["timings"]
            added.append(trips[-1] - timings["inferMs"])
            outside.append(trips[-1] - timings["totalMs"])
    return {
        "addedP50Ms": round(statistics.median(added), 2),
        "addedLeastMs": round(min(added), 2),
        "outsideTheDaemonP50Ms": round(statistics.median(outside), 2),
        "addedOverInfer": round(
            statistics.median(added) / (statistics.median(trips) - statistics.median(added)), 3
        ),
        "roundTripP50Ms": round(statistics.median(trips), 1),
    }


def _worker(at: int, url: str, count: int, barrier, queue) -> None:
    images = pictures(count, seed=at)
    with AssayClient(url, timeout=900) as assay:
        assay.health()  # imports and connections are made once in a run of hours
        barrier.wait()
        begun = time.perf_counter()
        try:
            failures = sum(result.error is not None for result in assay.score(images, PROMPT))
        except AssayFailure:
            failures = count
        queue.put((time.perf_counter() - begun, failures))


#: The daemon collects what is left of a round once it has nothing else to do.
SETTLE_S = 3


def _later_over_former(values: list[float]) -> float | None:
    """Of medians, the first value left out: memory that is taken once is no trend."""
    half = len(values) // 2
    if half < 2:
        return None
    return round(statistics.median(values[-half:]) / statistics.median(values[1 : half + 1]), 3)


def _rss_mb(pid: int) -> float:
    return round(int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1024)


def crowd(args: argparse.Namespace) -> dict:
    raw = None
    if not args.without_raw:
        said = subprocess.check_output(
            [ROOT / "node_modules/.bin/node", "src/cli/index.ts", "bench", "--json", "--quick"]
            + ["--scorer", "assay-lite"],  # as the daemon of these benches
            cwd=ROOT,
        )
        raw = json.loads(said)["throughput"]["rawPerSecond"]
    context = multiprocessing.get_context("spawn")
    rounds, memory = [], []
    with daemon() as (process, url):
        for repeat in range(args.repeats):
            barrier, queue = context.Barrier(args.processes + 1), context.SimpleQueue()
            seeds = range(repeat * args.processes, (repeat + 1) * args.processes)
            workers = [
                context.Process(target=_worker, args=(seed, url, args.images, barrier, queue))
                for seed in seeds
            ]
            for worker in workers:
                worker.start()
            barrier.wait()
            begun = time.perf_counter()
            found = [queue.get() for _ in workers]
            seconds = time.perf_counter() - begun
            for worker in workers:
                worker.join()
            times = [took for took, _ in found]
            rounds.append(
                {
                    "failures": sum(failed for _, failed in found),
                    "slowestOverFastest": round(max(times) / min(times), 2),
                    "imagesPerSecond": round(args.processes * args.images / seconds, 2),
                }
            )
            time.sleep(SETTLE_S)
            memory.append(_rss_mb(process.pid))
            print(json.dumps({**rounds[-1], "rssMb": memory[-1]}), file=sys.stderr)
    speed = statistics.median(one["imagesPerSecond"] for one in rounds)
    return {
        "failures": sum(one["failures"] for one in rounds),
        "slowestOverFastest": max(one["slowestOverFastest"] for one in rounds),
        "rssMb": memory,
        "rssLaterHalfOverFormer": _later_over_former(memory),
        "imagesPerSecond": speed,
        "throughputOverRaw": round(speed / raw, 3) if raw else None,
    }


def equal(args: argparse.Namespace) -> dict:
    images = pictures(args.images, seed=2)
    order = np.random.default_rng(0).permutation(args.images)

    def scores(results) -> np.ndarray:
        return np.array([[result.score("quality"), result.score("alignment")] for result in results])

    with daemon(config={"resultCache": 0}) as (_, url), AssayClient(url) as assay:

        def part(at: int) -> np.ndarray:
            with AssayClient(url) as one:
                return scores(one.score(images[at::8], PROMPT))

        batch = scores(assay.score(images, PROMPT, timeout=900))
        alone = np.concatenate([scores(assay.score(image, PROMPT)) for image in images])
        shuffled = scores(assay.score(images[order], PROMPT, timeout=900))
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(part, range(8)))
    eight = np.empty_like(batch)
    for at, found in enumerate(parts):
        eight[at::8] = found
    differences = {"alone": alone - batch, "shuffled": shuffled - batch[order], "eightClients": eight - batch}
    return {name: float(np.abs(values).max()) for name, values in differences.items()}


def restart(args: argparse.Namespace) -> dict:
    images = pictures(50, seed=3, side=128)
    outcomes: dict[int, list[str]] = {at: [] for at in range(args.requests)}

    def one(at: int) -> None:
        try:
            result = assay.score(images[at % 50], f"{PROMPT} {at}", ids=[at], timeout=120)[0]
            outcomes[at].append("value" if result.error is None else result.error.code)
        except AssayFailure as failure:
            outcomes[at].append(failure.code)

    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        process, url = started("--port", "0", "--data-dir", folder)
        with AssayClient(url) as assay, ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(one, at) for at in range(args.requests)]
            while sum(map(len, outcomes.values())) < args.requests // 2:
                time.sleep(0.01)
            ended(process)
            process, _ = started("--port", str(urlsplit(url).port), "--data-dir", folder)
            for future in asked:
                future.result()
        rows = rows_by_item(url)
        ended(process)
    ends = [end for found in outcomes.values() for end in found]
    return {
        "requests": args.requests,
        "outcomesOverRequests": len(ends) / args.requests,
        "values": ends.count("value"),
        "codes": sorted(set(ends) - {"value"}),
        "recordedTwice": sum(count > 1 for count in rows.values()),
        "recordedOverRequests": len(rows) / args.requests,
        "threadsLeft": threading.active_count(),
    }


def plain(args: argparse.Namespace) -> list[dict]:
    """Inference is most of the work: `serverCpuMs` of an image says how much of a ratio the cores allow."""
    with daemon(config={"resultCache": 0}) as ours, side_by_side.plain() as other:
        return [
            side_by_side.compare(ours, other, clients, args.images, args.batch) for clients in args.clients
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["latency", "crowd", "equal", "restart", "plain"])
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--images", type=int)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="of `plain`")
    parser.add_argument("--batch", type=int, default=8, help="images a call of `plain`")
    parser.add_argument("--without-raw", action="store_true", help="do not measure the bare session")
    args = parser.parse_args()
    args.images = args.images or {"equal": 256, "plain": 512}.get(args.what, 64)
    args.requests = args.requests or {"restart": 1000}.get(args.what, 200)
    print(json.dumps(globals()[args.what](args), indent=2))


if __name__ == "__main__":
    main()
