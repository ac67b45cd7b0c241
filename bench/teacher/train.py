"""Trains the teacher; stopped at any time, the same command goes on from its last checkpoint.

python -m bench.teacher.train --model MPNET --corpora ../shared/data --output TEACHER
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch

from bench.teacher.data import DOMAINS, Item, Pieces, batch_of, epoch, training
from bench.teacher.network import Teacher, encoder

RATES = {"reader.": 5e-5, "written.": 2e-4, "": 1e-3}  # by the first prefix that fits
WARM = 0.03  # share of the steps in which the rate rises
LEAST = 0.03  # of the full rate, at the end


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    pieces = Pieces(encoder(options.model))
    sentences = training(options.corpora, options.only)
    words = sum(len(example.words) for example in sentences)
    teacher = Teacher(options.model).train().to(options.device)
    optimizer = torch.optim.AdamW(_groups(teacher), weight_decay=0.01, fused=True)
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = options.output / "checkpoint.pt"
    step = _resume(checkpoint, teacher, optimizer)
    batches: list[list[Item]] = []
    for number in range(options.epochs):
        batches += epoch(sentences, pieces, room=options.room, seed=(options.seed, number))
    print(
        f"{len(sentences)} sentences, {words} words; step {step} of {len(batches)}, "
        f"{options.epochs} epochs",
        flush=True,
    )
    torch.manual_seed(options.seed + step)  # another dropout than that of the steps before
    saved = shown = time.monotonic()
    loss_sum, words_sum, steps = torch.zeros((), device=options.device), 0, 0
    stop = min(len(batches), options.steps or len(batches))
    while step < stop:
        batch = batch_of(batches[step], pieces)
        share = _rate(step / len(batches))
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * share
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(options.device, dtype=torch.bfloat16, enabled=not options.float32):
            loss = teacher.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
        optimizer.step()
        step += 1
        steps += 1
        count = int(batch.lengths.sum())
        loss_sum += loss.detach() * count
        words_sum += count
        now = time.monotonic()
        if step % options.show == 0 or step == stop:
            speed = words_sum / (now - shown)
            left = (len(batches) - step) * (now - shown) / steps / 60
            print(
                f"{time.strftime('%H:%M:%S')} step {step} of {len(batches)}: loss "
                f"{loss_sum / words_sum:.4f}, {speed:.0f} words/s, {left:.0f} minutes left",
                flush=True,
            )
            loss_sum, words_sum, steps = torch.zeros_like(loss_sum), 0, 0
            shown = now
        if now - saved > options.save * 60 or step == stop:
            _save(checkpoint, teacher, optimizer, step)
            saved = time.monotonic()


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the language model")
    parser.add_argument("--corpora", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", choices=DOMAINS[1:], help="learn from this corpus alone")
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", type=int, default=1024, help="pieces of a batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of torch: cpu or cuda")
    parser.add_argument("--steps", type=int, help="stop after as many, to try or to time it")
    parser.add_argument("--save", type=float, default=5, help="minutes between checkpoints")
    parser.add_argument("--show", type=int, default=20, help="steps between lines")
    parser.add_argument("--float32", action="store_true", help="for processors without bfloat16")
    return parser.parse_args()


def _groups(teacher: Teacher) -> list[dict[str, Any]]:
    groups: dict[str, list[torch.nn.Parameter]] = {prefix: [] for prefix in RATES}
    for name, parameter in teacher.named_parameters():
        if parameter.requires_grad:
            groups[next(p for p in RATES if name.startswith(p))].append(parameter)
    return [{"params": groups[p], "lr": rate, "full": rate} for p, rate in RATES.items()]


def _rate(done: float) -> float:
    """The share of the full rate after this share of the steps: up, then down in a line."""
    if done < WARM:
        return (done + 1e-3) / WARM
    return LEAST + (1 - LEAST) * (1 - done) / (1 - WARM)


def _resume(checkpoint: Path, teacher: Teacher, optimizer: torch.optim.Optimizer) -> int:
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    teacher.load_state_dict(state["weights"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _save(checkpoint: Path, teacher: Teacher, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Writes beside it and renames: a checkpoint is old or new, and whole."""
    state = {"weights": teacher.learnt(), "optimizer": optimizer.state_dict(), "step": step}
    beside = checkpoint.with_suffix(".part")
    with beside.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(beside, checkpoint)


if __name__ == "__main__":
    main()
