"""Training steps of this program, both optimizers alternately; a process for each turn: diaghess_step.py pilotcnn|mlp PATH VECTORS"""

import json
import os
import subprocess
import sys

import worker

network, path, vectors = sys.argv[1:]
if vectors:
    os.environ["DIAGHESS_VECTORS"] = vectors
command = [path, "bench", "--json", "--device=cpu", "--optimizers=adamw,diaghess", f"--model={network}", f"--batch={worker.BATCH}",
           f"--classes={worker.CLASSES}", f"--threads={worker.THREADS}"]


def bench(steps):
    done = subprocess.run([*command, f"--repeats={steps}"], stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.returncode == 0 else sys.exit(1)  # the reason is on stderr


version = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
worker.serve(lambda steps: [(row["step_ns"] / 1e6, row["fastest_ns"] / 1e6) for row in bench(steps)["steps"]], f"{version}: {bench(1)['machine']}")
