"""PyTorch in eager mode, as a user who minds speed would write it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from faces import faces
from settings import BATCH, CLASSES, LEARNING_RATE, WEIGHT_DECAY
from torch.nn import functional

from baselines.ghostface_torch import GhostFace, copy_from_keras


def steady(rows: int, size: int, epochs: int, threads: int, channels_last: bool) -> dict[str, Any]:
    """Images/s of the training loop from the second epoch on."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # TensorFlow does so by itself
    layout = torch.channels_last if channels_last else torch.contiguous_format
    data = faces(rows, size).pool
    images = torch.from_numpy(np.ascontiguousarray(data.images)).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    network = GhostFace(size, CLASSES).to(memory_format=layout).train()
    statistics = images.float()
    network.mean.copy_(statistics.mean())
    network.variance.copy_(statistics.var())
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    times = []
    for _ in range(epochs):
        _epoch(network, optimizer, images, torch.from_numpy(np.asarray(data.labels)))
        times.append(time.time())
    return {"ends": times}


def _epoch(network: GhostFace, optimizer: Any, images: torch.Tensor, labels: torch.Tensor) -> float:
    total = torch.zeros(())
    for index in torch.randperm(len(labels)).split(BATCH):
        loss = functional.cross_entropy(network(images[index].float()), labels[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return float(total)


def likeness(size: int, rows: int) -> dict[str, float]:
    """How far the logits of the PyTorch network are from those of the Keras network with the same weights."""
    from baselines.ghostface_keras import ghostface, weights_by_path

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (rows, size, size, 3), np.uint8)
    theirs = ghostface(size, CLASSES)
    theirs.get_layer("normalization").adapt_to_rows(images)
    for weight in theirs.weights:
        # Fresh networks have zeros and ones where a wrong copy would not show.
        if weight.name in ("gamma", "beta", "bias", "moving_mean", "moving_variance"):
            weight.assign(np.array(weight) + rng.uniform(0.0, 0.5, weight.shape))
    network = GhostFace(size, CLASSES).eval()
    copy_from_keras(weights_by_path(theirs), network)
    expected = np.array(theirs(images.astype(np.float32), training=False))
    with torch.no_grad():
        found = network(torch.from_numpy(images).permute(0, 3, 1, 2).float()).numpy()
    scale = float(np.abs(expected).max())
    return {
        "difference": float(np.abs(expected - found).max()) / scale,
        "scale": scale,
        "spread": float(expected.std(axis=0).mean()),
        "trainable": sum(parameter.numel() for parameter in network.parameters()),
        "trainable_keras": int(sum(np.prod(weight.shape) for weight in theirs.trainable_weights)),
    }
