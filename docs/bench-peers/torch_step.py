"""A training step in PyTorch, eager: torch_step.py pilotcnn|mlp float32|bfloat16"""

import sys

import worker  # first, since it redirects stdout
import torch
from torch import nn

network, precision = sys.argv[1:]
torch.set_num_threads(worker.THREADS)
layers = []
if network == "pilotcnn":
    images = torch.rand(worker.BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    inputs = 3
    for filters in 32, 64, 128:
        for _ in range(2):
            layers += [nn.Conv2d(inputs, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.01)]
            inputs = filters
        layers += [nn.MaxPool2d(2), nn.Dropout(0.4)]
    layers.append(nn.Flatten())
    for inputs in 4 * 4 * 128, 512:
        layers += [nn.Linear(inputs, 512, bias=False), nn.BatchNorm1d(512, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.01), nn.Dropout(0.5)]
    layers.append(nn.Linear(512, worker.CLASSES))
else:
    images = torch.rand(worker.BATCH, 32 * 32 * 3)
    for inputs in 32 * 32 * 3, *[64] * 9:
        layers += [nn.Linear(inputs, 64), nn.LeakyReLU(0.01), nn.Dropout(0.004)]
    layers.append(nn.Linear(64, worker.CLASSES))
    for linear in layers[::3]:
        nn.init.kaiming_normal_(linear.weight)
model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
labels = torch.randint(worker.CLASSES, (worker.BATCH,))
optimizer = torch.optim.AdamW(model.parameters(), lr=worker.LEARNING_RATE, eps=worker.EPSILON, weight_decay=worker.WEIGHT_DECAY, fused=True)


def step():
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()


version = f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
worker.serve(lambda steps: worker.timed(step, steps), version, sum(p.numel() for p in model.parameters()))
