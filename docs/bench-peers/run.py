"""Time a training step of diaghess, PyTorch and TensorFlow on the CPU, in turns, and print a Markdown table.

The first run installs the peers into bin/peers (7 GB), later runs reuse them. Python 3.11 can run all of them.
"""

import argparse
import contextlib
import datetime
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
PEERS = HERE.parents[1] / "bin" / "peers"

# model: what it is, its parameters, a factor for --steps, and its peers: title, name and argument
MODELS = {
    "pilotcnn": ("The pilot's CNN", 1605354, 1, [
        ("PyTorch eager, channels_last, fused AdamW", "torch", "float32"),
        ("TensorFlow graph mode, oneDNN, Keras AdamW", "tensorflow", "float32"),
        ("PyTorch eager, channels_last, fused AdamW, bfloat16 autocast", "torch", "bfloat16")]),
    "mlp": ("The perceptron, 10 hidden layers of 64 units on 3,072 inputs", 234762, 10, [
        ("PyTorch eager, fused AdamW", "torch", "float32")]),
}

# By default glibc returns freed memory to the kernel, and PyTorch spends up to a third of a step on page faults.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_TOP_PAD_": "500000000"}

# Variables with these prefixes are not passed on, since they could favor one program.
DROPPED = ("OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "TF_", "XLA_", "TORCH", "ATEN_", "MALLOC_", "GO", "PYTHON", "DIAGHESS_")


class Failure(Exception):
    """Why a program could not be measured; of a program's output the last line."""

    def __init__(self, why, output=""):
        super().__init__(" ".join([why, *output.strip().splitlines()[-1:]]).replace("|", "/"))


def install(peer):
    """Return the Python of a peer's environment, which is made where it is missing."""
    folder, requirements = PEERS / peer, HERE / f"requirements-{peer}.txt"
    python, stamp, wanted = folder / "bin" / "python", folder / "installed.txt", requirements.read_text()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {requirements.name} into {folder}, once", file=sys.stderr)
    for command in [sys.executable, "-m", "venv", "--clear", folder], [python, "-m", "pip", "install", "--no-cache-dir", "-q", "-r", requirements]:
        done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            raise Failure(f"{wanted.splitlines()[0][2:]}; the installation with Python {platform.python_version()} failed:", done.stderr)
    stamp.write_text(wanted)
    return python


class Program:
    """A process that stays for all rounds, blocked in read while others work. It has a row for each title."""

    def __init__(self, titles, name, *arguments):
        self.titles, self.name, self.arguments, self.process, self.version = titles, name, arguments, None, None

    def start(self, parameters, env):
        python = sys.executable if self.name == "diaghess" else install(self.name)
        self.errors = PEERS / f"{'-'.join([self.name, self.arguments[0], self.arguments[-1]])}.log"
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen([python, HERE / f"{self.name}_step.py", *self.arguments], env=env, text=True, bufsize=1,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.version, counted = self.answer()
        if counted not in (parameters, None):  # the tests of diaghess count its own
            raise Failure(f"its network has {counted} parameters, not {parameters}")

    def answer(self, request=""):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(request)
        line = self.process.stdout.readline()
        if not line:
            raise Failure("it stopped:", self.errors.read_text())
        return json.loads(line)


def cpu_seconds(programs):
    """The CPU time of the programs, that of the whole machine (with what a hypervisor took), and the latter's limit; zeros without /proc."""
    if not Path("/proc/stat").exists():
        return 0, 0, 0
    stats = [Path(f"/proc/{p.process.pid}/stat").read_text().rpartition(")")[2].split() for p in programs if p.process]
    machine = [int(f) for f in Path("/proc/stat").read_text().split()[1:9]]
    ticks = sum(int(f) for s in stats for f in s[11:15]), sum(machine) - machine[3] - machine[4], sum(machine)
    return [t / os.sysconf("SC_CLK_TCK") for t in ticks]


def wait_until_asleep(programs):
    """Wait until the programs have used no CPU time for 0.3 s: an idle thread that spins would slow the next turn down."""
    for _ in range(100):
        before = cpu_seconds(programs)[0]
        time.sleep(0.3)
        if cpu_seconds(programs)[0] == before:
            return
    raise SystemExit("bench-peers: a waiting program uses CPU time")


def measure(programs, parameters, steps, rounds, env):
    """Return by title the (median, fastest) of each round, or a Failure; and the largest share of the CPUs that others used."""
    results, largest, alive = {title: [] for p in programs for title in p.titles}, 0, list(programs)
    for r in range(rounds + 1):
        for p in list(alive):
            wait_until_asleep(alive)
            before = cpu_seconds([p])
            try:
                rows = p.answer(f"{steps}\n") if r else p.start(parameters, env) or []
            except Failure as e:
                print(f"{p.titles[0]}: not measured: {e}", file=sys.stderr)
                results.update(dict.fromkeys(p.titles, e))
                alive.remove(p)
                continue
            own, machine, limit = (now - then for now, then in zip(cpu_seconds([p]), before))
            share = max(0, machine - own) / (limit or 1)
            for title, row in zip(p.titles, rows):
                results[title].append(row)
                largest = max(largest, share)
                print(f"round {r}: {title}: median {row[0]:.2f} ms, fastest {row[1]:.2f} ms; others used {share:.0%} of the CPUs", file=sys.stderr)
    for p in programs:
        if p.process:
            p.process.terminate()
            p.process.wait()
    return results, largest


def make_table(results, rounds):
    medians = {title: median(m for m, _ in rows) for title, rows in results.items() if not isinstance(rows, Failure)}
    best = min((t for t in medians if not t.startswith("diaghess") and "bfloat16" not in t), key=medians.get, default=None)
    yield "| program | " + "".join(f"round {r + 1} | " for r in range(rounds)) + "fastest step | ratio |"
    yield "| --- |" + " --- |" * (rounds + 2)
    for title, rows in results.items():
        if title in medians:
            cells = [f"{m:.2f}" for m, _ in rows] + [f"{min(f for _, f in rows):.2f}", f"{medians[title] / medians[best]:.2f}" if best else ""]
        else:
            cells = [f"not measured: {rows}"] + [""] * (rounds + 1)
        yield f"| {title} | " + " | ".join(cells) + " |"
    yield f"\nRatio: the median of the rounds' medians over that of {best or 'no peer, since none was measured'}."


def describe_machine(cpus):
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    values = dict(reversed(re.findall(r"^(.*?)\s*:[ \t]*(.*)$", info, re.M)))  # of the first processor
    vectors = [f for f in (values.get("flags") or values.get("Features") or "").split() if re.match("avx|fma$|amx|asimd|sve|bf16", f)]
    return (f"{values.get('model name') or platform.processor()}, family {values.get('cpu family', '?')}, model {values.get('model', '?')}, "
            f"{cpus} CPUs, {platform.system()} {platform.machine()}; vector instructions: {' '.join(vectors) or 'unknown'}")


def main():
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diaghess", metavar="PATH", default=PEERS.parent / "diaghess", help="the program to measure (default: bin/diaghess)")
    parser.add_argument("--vectors", metavar="LIST", default="best,avx2", help="measure it with each value of DIAGHESS_VECTORS; best is without it (default: best,avx2)")
    parser.add_argument("--threads", type=int, default=cpus, help="threads of each program (default: as many as CPUs)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program (default: 3)")
    parser.add_argument("--steps", type=int, default=20, help="measured steps in a turn, ten times as many for the perceptron (default: 20)")
    options = parser.parse_args()
    if min(options.threads, options.rounds, options.steps) < 1:
        parser.error("--threads, --rounds and --steps must be at least 1")
    if not all(importlib.util.find_spec(m) for m in ("venv", "ensurepip")):
        raise SystemExit("bench-peers: this Python has no venv with pip, which installs the peers (Debian, Ubuntu: apt-get install python3-venv)")
    if not os.access(options.diaghess, os.X_OK):
        raise SystemExit(f"bench-peers: there is no program {options.diaghess}; make build makes bin/diaghess")
    PEERS.mkdir(parents=True, exist_ok=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED)}
    env.update(MALLOC, OMP_NUM_THREADS=str(options.threads), GOMAXPROCS=str(options.threads), CUDA_VISIBLE_DEVICES="",
               TF_ENABLE_ONEDNN_OPTS="1", TF_CPP_MIN_LOG_LEVEL="2", PYTHONNOUSERSITE="1", PYTHONDONTWRITEBYTECODE="1")

    report = [f"A training step on the CPU, batch 64, 10 classes: forward, backward and update, in milliseconds. {datetime.date.today()}."]
    versions, shares, failures = {}, [], []
    for model, (name, parameters, factor, peers) in MODELS.items():
        programs = []
        for vectors in options.vectors.replace("best", "").split(","):
            titles = [f"diaghess, {optimizer}{vectors and f', vectors {vectors}'}" for optimizer in ("adamw", "diaghess")]
            programs.append(Program(titles, "diaghess", model, os.path.abspath(options.diaghess), vectors))
        programs += [Program([title], peer, model, argument) for title, peer, argument in peers]
        results, largest = measure(programs, parameters, factor * options.steps, options.rounds, env)
        report += [f"\n{name}, {parameters:,} parameters; medians of {factor * options.steps} steps:\n", *make_table(results, options.rounds)]
        versions.update({p.version: None for p in programs if p.version})
        shares.append(largest)
        failures += [title for title, rows in results.items() if isinstance(rows, Failure)]
    report += [f"\n- {describe_machine(cpus)}", f"- {options.threads} threads each; one program works at a time", *(f"- {v}" for v in versions),
               "- all with " + " ".join(f"{k}={v}" for k, v in MALLOC.items()),
               f"- others used up to {max(shares):.0%} of the CPUs during a turn{'; repeat this on a quiet machine' if max(shares) > 0.08 else ''}",
               "- a step of diaghess also reads its batch from the data set, and an inference batch follows it; the peers repeat one batch"]
    text = "\n".join(report) + "\n"
    (PEERS / "latest.md").write_text(text)
    print(text, end="")
    if any(title.startswith("diaghess") for title in failures):
        raise SystemExit("bench-peers: diaghess could not be measured")


if __name__ == "__main__":
    main()
