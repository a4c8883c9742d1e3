# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "torch==2.15.0", "numpy==2.4.6", "tensorflow-cpu==2.21.0",
#   "lion-pytorch==0.2.5", "schedulefree==1.4.1", "torch-adopt==0.1.0",
# ]
# ///
"""Make rivals.npz and manifest.json: trajectories of optimizers by their authors' programs.

    python make.py REPOSITORIES

REPOSITORIES is a folder with clones of the repositories in PROGRAMS, each under its own name: ml-ademamix, C-Optim, ...
README.md beside this file says what is in the files.
"""

import concurrent.futures
import importlib.metadata
import json
import math
import multiprocessing
import os
import pathlib
import subprocess
import sys
import types

# The same instructions on every x86-64 processor with AVX2.
os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_CBWR="AVX2", CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
import adopt
import lion_pytorch
import numpy as np
import schedulefree
import torch

torch.set_num_threads(1)
if len(sys.argv) != 2:
    sys.exit(__doc__)
REPOSITORIES = sys.argv[1]
SEED = 2026
STEPS, STEPS_PER_EPOCH, SAVED = 20, 5, (1, 2, 10, 20)
SHIFT, NOISE = 1009, 9257  # both prime: the gradients of no two steps are equal
# Layouts are Keras's: [out], [in, out], [height, width, in, out].
SHAPES = {"vector": (37,), "dense": (97, 61), "filter": (3, 3, 7, 11), "dense-wide": (31, 67), "filter-wide": (3, 3, 2, 29)}
SAMPLES = 150  # of a tensor, about; and its last TAIL elements
TAIL = 8
PROGRAMS = {
    "adamw_torch": "torch 2.15.0, torch.optim.AdamW",
    "nadam_torch": "torch 2.15.0, torch.optim.NAdam with decoupled_weight_decay",
    "sgd": "torch 2.15.0, torch.optim.SGD",
    "lion": "lion-pytorch 0.2.5, Lion; bit-identical: google/automl 87461ee, lion/lion_pytorch.py",
    "ademamix": "apple/ml-ademamix c3d73c0, pytorch/ademamix.py",
    "nadamw": "mlcommons/algorithmic-efficiency 007e27a, reference_algorithms/target_setting_algorithms/pytorch_nadamw.py",
    "adopt": "torch-adopt 0.1.0, ADOPT with decouple",
    "cautious": "kyleliang919/C-Optim ccadd18, c_adamw.py",
    "lamb": "google-research/albert b772393, lamb_optimizer.py, in TensorFlow 2.21.0",
    "schedulefree": "schedulefree 1.4.1, AdamWScheduleFree",
    "muon": "KellerJordan/Muon 857d1ad, SingleDeviceMuonWithAuxAdam; newton-schulz=float32: with G.float() for G.bfloat16()",
    "muon_torch": "torch 2.15.0, torch.optim.Muon; filters as matrices [out, in * height * width]; vectors: torch.optim.AdamW",
}
COSINE = "schedule=cosine,warmup=1"
AUXILIARY = "adamw-lr={},adamw-beta1=0.9,adamw-beta2=0.95,adamw-eps=1e-10"
# The settings of each optimizer: the program's defaults with a constant rate; with weight decay; and with a
# schedule and other constants, which show where eps stands.
SETTINGS = {
    "adamw_torch": {
        "default": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-8,weight-decay=1e-2",
        "decay": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-4,weight-decay=1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-4,weight-decay=0.1,{COSINE}",
    },
    "nadam_torch": {
        "default": "lr=2e-3,beta1=0.9,beta2=0.999,eps=1e-8,psi=4e-3,weight-decay=0",
        "decay": "lr=2e-3,beta1=0.9,beta2=0.999,eps=1e-4,psi=4e-3,weight-decay=0.1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-4,psi=1e-2,weight-decay=0.1,{COSINE}",
    },
    "sgd": {  # torch's weight decay is another one, and with a momentum its velocity has no rate in it
        "nesterov": "lr=1e-2,momentum=0.9,nesterov=true,weight-decay=0",
        "momentum": "lr=1e-2,momentum=0.9,nesterov=false,weight-decay=0",
        "schedule": f"lr=1e-1,momentum=0,weight-decay=0,{COSINE}",
    },
    "lion": {
        "default": "lr=1e-4,beta1=0.9,beta2=0.99,weight-decay=0",
        "decay": "lr=1e-4,beta1=0.9,beta2=0.99,weight-decay=1",
        "schedule": f"lr=3e-4,beta1=0.95,beta2=0.98,weight-decay=1,{COSINE}",
    },
    "ademamix": {
        "default": "lr=1e-3,beta1=0.9,beta2=0.999,beta3=0.9999,alpha=2,ramp=0,eps=1e-8,weight-decay=0",
        "decay": "lr=1e-3,beta1=0.9,beta2=0.999,beta3=0.9999,alpha=8,ramp=1,eps=1e-4,weight-decay=0.1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,beta3=0.999,alpha=5,ramp=0.5,eps=1e-4,weight-decay=0.1,{COSINE}",
    },
    "nadamw": {
        "default": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-8,weight-decay=1e-2",
        "decay": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-4,weight-decay=1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-4,weight-decay=0.1,{COSINE}",
    },
    "adopt": {
        "default": "lr=1e-3,beta1=0.9,beta2=0.9999,eps=1e-6,weight-decay=0",
        "decay": "lr=1e-3,beta1=0.9,beta2=0.9999,eps=1e-6,weight-decay=1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-3,weight-decay=0.1,{COSINE}",
    },
    "cautious": {
        "default": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-6,weight-decay=0",
        "decay": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-4,weight-decay=1",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-4,weight-decay=0.1,{COSINE}",
    },
    "lamb": {  # default: the settings of ALBERT's optimization.py; all: those of the class
        "default": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-6,debias=false,vectors=false,weight-decay=1e-2",
        "all": "lr=1e-3,beta1=0.9,beta2=0.999,eps=1e-6,debias=false,vectors=true,weight-decay=0",
        "schedule": f"lr=2e-3,beta1=0.95,beta2=0.99,eps=1e-4,debias=false,vectors=true,weight-decay=0.1,{COSINE}",
    },
    "schedulefree": {
        "default": "lr=2.5e-3,beta1=0.9,beta2=0.999,eps=1e-8,weight-decay=0",
        "decay": "lr=2.5e-3,beta1=0.9,beta2=0.999,eps=1e-4,weight-decay=0.1,warmup=1",
        "schedule": "lr=5e-3,beta1=0.98,beta2=0.99,eps=1e-4,weight-decay=0.1,warmup=2",
    },
    "muon": {
        "default": f"lr=0.02,momentum=0.95,nesterov=true,weight-decay=0,newton-schulz=float32,{AUXILIARY.format('3e-4')}",
        "decay": f"lr=0.02,momentum=0.95,nesterov=true,weight-decay=0.1,newton-schulz=float32,{AUXILIARY.format('3e-4')}",
        "schedule": f"lr=0.05,momentum=0.9,nesterov=true,weight-decay=0.1,newton-schulz=float32,{AUXILIARY.format('1e-3')},{COSINE}",
        "bfloat16": f"lr=0.02,momentum=0.95,nesterov=true,weight-decay=0,newton-schulz=bfloat16,{AUXILIARY.format('3e-4')}",
        "bfloat16-schedule": f"lr=0.05,momentum=0.9,nesterov=true,weight-decay=0.1,newton-schulz=bfloat16,{AUXILIARY.format('1e-3')},{COSINE}",
    },
    "muon_torch": {
        "default": f"lr=1e-3,momentum=0.95,nesterov=true,weight-decay=0.1,scale=original,newton-schulz=bfloat16,{AUXILIARY.format('3e-4')}",
        "adamw-size": f"lr=1e-3,momentum=0.9,nesterov=false,weight-decay=0.1,scale=match_rms_adamw,newton-schulz=bfloat16,{AUXILIARY.format('1e-3')},{COSINE}",
    },
}


def inputs():
    """Return the initial weights by tensor, the noise that gradients are cut from, and the places that are saved."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    weights = {name: (rng.standard_normal(s) * (1 if len(s) == 1 else 0.05)).astype(np.float32) for name, s in SHAPES.items()}
    noise = (rng.standard_normal(NOISE) * 10 ** rng.uniform(-4, 0, NOISE)).astype(np.float32)
    noise[rng.random(NOISE) < 0.02] = 0
    places = {}
    for name, w in weights.items():
        stride = max(1, w.size // SAMPLES)
        while math.gcd(stride, w.size) > 1:  # so that the places are in all rows and columns
            stride += 1
        places[name] = np.union1d(np.arange(0, w.size, stride), np.arange(w.size - TAIL, w.size)).astype(np.int32)
    return weights, noise, places


WEIGHTS, NOISES, PLACES = inputs()


def gradients(step):
    """Return the gradients of a step, from 1: element i of all tensors in a row has noise[(i + SHIFT * step) mod NOISE]."""
    first, all_ = 0, {}
    for name, w in WEIGHTS.items():
        all_[name] = NOISES[(first + np.arange(w.size) + SHIFT * step) % NOISE].reshape(w.shape)
        first += w.size
    return all_


def parse(spec):
    """Return the settings of a spec, numbers as floats."""
    def value(text):
        try:
            return float(text)
        except ValueError:
            return {"true": True, "false": False}.get(text, text)
    return {key: value(text) for key, text in (part.split("=") for part in spec.split(","))}


def factors(k):
    """Return what each step multiplies the rate by: a linear warm-up, then constant or a cosine."""
    warmup = int(k.get("warmup", 0) * STEPS_PER_EPOCH)
    after = lambda i: (1 + math.cos(math.pi * (i - warmup) / (STEPS - warmup))) / 2 if k.get("schedule") == "cosine" else 1
    return [(i + 1) / warmup if i < warmup else after(i) for i in range(STEPS)]


def show(repository, commit, path):
    return subprocess.run(["git", "-C", f"{REPOSITORIES}/{repository}", "show", f"{commit}:{path}"], check=True, capture_output=True, text=True).stdout


def module(repository, commit, path, edit=lambda text: text):
    """Return a file of a repository as a module."""
    m = types.ModuleType(pathlib.Path(path).stem)
    exec(compile(edit(show(repository, commit, path)), path, "exec"), m.__dict__)
    return m


def stand_in(*names):
    """Put empty modules in place of those that a file imports for other things than its optimizer."""
    for name in names:
        m = sys.modules[name] = types.ModuleType(name)
        m.__path__ = []
        m.__getattr__ = lambda attribute: type(attribute, (), {})
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, m)


def to_torch(a):
    """Return an array in torch's layout: [out, in], [out, in, height, width]."""
    return torch.tensor(np.ascontiguousarray(a.transpose({1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}[a.ndim])))


def from_torch(t):
    a = t.detach().numpy().copy()
    return a.transpose({1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[a.ndim])


def train(k, optimizers, steps=STEPS, shape=lambda t: t, unshape=lambda t, name: t, start=lambda o: None, end=lambda o: None, set_rate=True):
    """Return the weights after each saved step. optimizers makes optimizers of the parameters by name."""
    parameters = {name: torch.nn.Parameter(shape(to_torch(w))) for name, w in WEIGHTS.items()}
    made = optimizers(parameters)
    for o in made:
        start(o)
    rates = [[group["lr"] for group in o.param_groups] for o in made]
    kept = {}
    for step, factor in enumerate(factors(k)[:steps], 1):
        for name, g in gradients(step).items():
            parameters[name].grad = shape(to_torch(g))
        for o, rate in zip(made, rates):
            for group, lr in zip(o.param_groups, rate):
                if set_rate:
                    group["lr"] = lr * factor
            o.step()
        if step == steps:
            for o in made:
                end(o)
        kept[step] = {name: from_torch(unshape(p, name)) for name, p in parameters.items()}
    return kept


def single(make):
    """Return a runner of an optimizer that takes all parameters alike; make takes them and the settings."""
    return lambda k: {"w": train(k, lambda parameters: [make(list(parameters.values()), k)])}


def betas(k, prefix=""):
    return k[prefix + "beta1"], k[prefix + "beta2"]


def lion(k):
    program = module("automl", "87461ee", "lion/lion_pytorch.py")
    kept, again = (single(lambda p, k: make(p, lr=k["lr"], betas=betas(k), weight_decay=k["weight-decay"]))(k) for make in (lion_pytorch.Lion, program.Lion))
    for step in kept["w"]:
        for name in SHAPES:
            np.testing.assert_array_equal(kept["w"][step][name], again["w"][step][name])
    return kept


def ademamix(p, k):
    ramp = int(k["ramp"] * STEPS) or None
    return module("ml-ademamix", "c3d73c0", "pytorch/ademamix.py").AdEMAMix(
        p, lr=k["lr"], betas=(*betas(k), k["beta3"]), alpha=k["alpha"], beta3_warmup=ramp, alpha_warmup=ramp, eps=k["eps"], weight_decay=k["weight-decay"])


def nadamw(p, k):
    folder = "reference_algorithms.target_setting_algorithms"
    stand_in("reference_algorithms", folder, *(f"{folder}.{m}" for m in ("data_selection", "get_batch_size", "pytorch_submission_base")), "algorithmic_efficiency", "algorithmic_efficiency.spec")
    return module("algorithmic-efficiency", "007e27a", f"{folder.replace('.', '/')}/pytorch_nadamw.py").NAdamW(
        p, lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"])


def cautious(p, k):
    stand_in("transformers", "transformers.utils", "transformers.utils.versions")
    sys.modules["transformers.utils.versions"].require_version = lambda wanted: None
    return module("C-Optim", "ccadd18", "c_adamw.py").AdamW(
        p, lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"], no_deprecation_warning=True)


def lamb(k):
    import tensorflow.compat.v1 as tf

    program = module("albert", "b772393", "lamb_optimizer.py")
    kept = {}
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)) as session:
        rate = tf.placeholder(tf.float32, [])
        variables = {name: tf.get_variable(name, initializer=w) for name, w in WEIGHTS.items()}
        fed = {name: tf.placeholder(tf.float32, w.shape) for name, w in WEIGHTS.items()}
        step_once = program.LAMBOptimizer(
            learning_rate=rate, weight_decay_rate=k["weight-decay"], beta_1=k["beta1"], beta_2=k["beta2"], epsilon=k["eps"],
            exclude_from_weight_decay=None if k["vectors"] else ["vector"]).apply_gradients([(fed[name], variables[name]) for name in WEIGHTS])
        session.run(tf.global_variables_initializer())
        for step, factor in enumerate(factors(k), 1):
            session.run(step_once, {rate: k["lr"] * factor, **{fed[name]: g for name, g in gradients(step).items()}})
            kept[step] = session.run(variables)
    return {"w": kept}


def schedule_free(k):
    """Run to each saved step anew, since going to the weights of evaluation and back would change their last bits."""
    make = lambda p: [schedulefree.AdamWScheduleFree(
        p.values(), lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"], warmup_steps=int(k.get("warmup", 0) * STEPS_PER_EPOCH))]
    run = lambda steps, end: train(k, make, steps, start=lambda o: o.train(), end=end, set_rate=False)
    return {"w": run(STEPS, lambda o: None), "eval": {step: run(step, lambda o: o.eval())[step] for step in SAVED}}


def split(parameters):
    """Return the parameters that Muon takes, and those that AdamW takes."""
    return [p for p in parameters.values() if p.ndim > 1], [p for p in parameters.values() if p.ndim == 1]


def muon(k):
    single_precision = lambda text: text.replace("G.bfloat16()", "G.float()") if k["newton-schulz"] == "float32" else text
    program = module("Muon", "857d1ad", "muon.py", single_precision)
    def make(parameters):
        matrices, vectors = split(parameters)
        return [program.SingleDeviceMuonWithAuxAdam([
            dict(params=matrices, use_muon=True, lr=k["lr"], momentum=k["momentum"], weight_decay=k["weight-decay"]),
            dict(params=vectors, use_muon=False, lr=k["adamw-lr"], betas=betas(k, "adamw-"), eps=k["adamw-eps"], weight_decay=k["weight-decay"])])]
    return {"w": train(k, make)}


def muon_torch(k):
    def make(parameters):
        matrices, vectors = split(parameters)
        return [torch.optim.Muon(matrices, lr=k["lr"], momentum=k["momentum"], nesterov=k["nesterov"], weight_decay=k["weight-decay"], adjust_lr_fn=k["scale"]),
                torch.optim.AdamW(vectors, lr=k["adamw-lr"], betas=betas(k, "adamw-"), eps=k["adamw-eps"], weight_decay=k["weight-decay"])]
    flatten = lambda t: t.reshape(len(t), -1) if t.ndim == 4 else t
    unflatten = lambda t, name: t.reshape(to_torch(WEIGHTS[name]).shape)
    return {"w": train(k, make, shape=flatten, unshape=unflatten)}


# A process for TensorFlow, since it and torch's compiler have symbols of the same names.
APART = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
RUNNERS = {
    "adamw_torch": single(lambda p, k: torch.optim.AdamW(p, lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"])),
    "nadam_torch": single(lambda p, k: torch.optim.NAdam(
        p, lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"], momentum_decay=k["psi"], decoupled_weight_decay=True)),
    "sgd": single(lambda p, k: torch.optim.SGD(p, lr=k["lr"], momentum=k["momentum"], nesterov=k.get("nesterov", False))),
    "lion": lion,
    "ademamix": single(ademamix),
    "nadamw": single(nadamw),
    "adopt": single(lambda p, k: adopt.ADOPT(p, lr=k["lr"], betas=betas(k), eps=k["eps"], weight_decay=k["weight-decay"], decouple=True)),
    "cautious": single(cautious),
    "lamb": lambda k: APART.submit(lamb, k).result(),
    "schedulefree": schedule_free,
    "muon": muon,
    "muon_torch": muon_torch,
}


def main():
    arrays = {"noise": NOISES, **{f"w0/{name}": w for name, w in WEIGHTS.items()}, **{f"sampled/{name}": p for name, p in PLACES.items()}}
    cases = []
    for rule, settings in SETTINGS.items():
        for setting, spec in settings.items():
            for kind, kept in RUNNERS[rule](parse(spec)).items():
                rows = np.stack([np.concatenate([kept[step][name].ravel()[places] for name, places in PLACES.items()]) for step in SAVED])
                assert rows.dtype == np.float32 and np.isfinite(rows).all()
                arrays[f"{rule}/{setting}/{kind}"] = rows
            cases.append({"name": f"{rule}/{setting}", "optimizer": f"{rule}:{spec}", "program": PROGRAMS[rule]})
    here = pathlib.Path(__file__).parent
    np.savez(here / "rivals.npz", **arrays)
    manifest = {"cases": {"rivals": {
        "file": "rivals.npz",
        "kind": "reference",
        "meaning": "weights after steps of optimizers by their authors' programs, on made-up weights and gradients; see README.md",
        "config": {
            "seed": SEED, "steps": STEPS, "steps_per_epoch": STEPS_PER_EPOCH, "saved_after": SAVED, "shift": SHIFT,
            "tensors": [{"name": name, "shape": shape} for name, shape in SHAPES.items()], "cases": cases,
        },
        "made_with": {
            "python": sys.version.split()[0], "numpy": np.__version__, "torch": torch.__version__, "tensorflow-cpu": importlib.metadata.version("tensorflow-cpu"),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        },
        "glossary": {
            "w0/X": "initial values of tensor X",
            "noise": "gradients: element i of all tensors, one after the other in the order of tensors, has noise[(i + shift step) mod len(noise)] in a step, from 1",
            "sampled/X": "int32: the elements of X, in C order, that the arrays below have",
            "CASE/w": "[saved_after, sampled elements of all tensors in their order]: weights after these steps",
            "CASE/eval": "the same of the weights to evaluate, where they are others",
        },
        "checks": {},
    }}}
    (here / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
