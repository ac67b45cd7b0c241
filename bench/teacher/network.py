"""The teacher: MPNet that also sees how words are written, a BiLSTM over words, and a CRF.

Needs torch and transformers; nothing of fastner's own package imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import MPNetConfig, MPNetModel

from bench.teacher.data import CASES, DOMAINS, PAD, TAGS, Batch, Encode, legal

NEVER = -1e4  # the score of what the tag scheme does not allow
HIDDEN = 128  # of each direction of the LSTM
SIDE = 16  # width of what is known of a word beside the language model's vector


def encoder(folder: Path) -> Encode:
    """Cuts words into the ids of their pieces; a word that has none is one unknown piece."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    unknown = tokenizer.token_to_id("[UNK]")

    def encode(words: Sequence[str]) -> list[list[int]]:
        found = tokenizer.encode_batch(list(words), add_special_tokens=False)
        return [one.ids or [unknown] for one in found]

    return encode


class Teacher(nn.Module):
    """Emissions of BIOES tags and a CRF over them."""

    def __init__(self, folder: Path, *, pretrained: bool = True) -> None:
        """folder: the language model's. pretrained: whether its weights are read, too."""
        super().__init__()
        self.reader = (
            MPNetModel.from_pretrained(folder, add_pooling_layer=False)
            if pretrained
            else MPNetModel(MPNetConfig.from_pretrained(folder), add_pooling_layer=False)
        )
        width = self.reader.config.hidden_size
        self.reader.embeddings.word_embeddings.weight.requires_grad_(False)
        self.written = nn.Embedding(CASES, width)
        nn.init.zeros_(self.written.weight)
        self.scale = nn.LayerNorm(width)  # what was trained for sentences is small beside the rest
        self.case = nn.Embedding(CASES, SIDE)
        self.domain = nn.Embedding(len(DOMAINS), SIDE)
        self.dropout = nn.Dropout(0.1)
        self.lstm = nn.LSTM(width + 2 * SIDE, HIDDEN, bidirectional=True, batch_first=True)
        self.emission = nn.Linear(width + 2 * SIDE + 2 * HIDDEN, len(TAGS))
        self.start = nn.Parameter(torch.zeros(len(TAGS)))
        self.transitions = nn.Parameter(torch.zeros(len(TAGS), len(TAGS)))
        self.end = nn.Parameter(torch.zeros(len(TAGS)))
        for name, mask in zip(("start", "transitions", "end"), legal(), strict=True):
            self.register_buffer(f"{name}_legal", torch.from_numpy(mask), persistent=False)

    def placed(self, array: np.ndarray[Any, Any]) -> Tensor:
        """An array as a tensor on the device that the weights are on."""
        return torch.from_numpy(array).to(self.start.device)

    def emissions(self, batch: Batch) -> Tensor:
        """[S, T, K], float32."""
        pieces = self.placed(batch.pieces)
        read = self.reader.embeddings.word_embeddings(pieces)
        read = read + self.written(self.placed(batch.cases))
        hidden = self.reader(inputs_embeds=read, attention_mask=(pieces != PAD).long())[0]
        words = hidden[self.placed(batch.rows), self.placed(batch.columns)]
        sides = [
            self.case(self.placed(batch.word_cases)),
            self.domain(self.placed(batch.domains))[:, None].expand(*words.shape[:2], -1),
        ]
        with torch.autocast(self.start.device.type, enabled=False):
            features = self.dropout(torch.cat([self.scale(words.float()), *sides], -1))
            run = nn.utils.rnn.pack_padded_sequence(
                features, torch.from_numpy(batch.lengths), batch_first=True, enforce_sorted=False
            )
            out, _ = nn.utils.rnn.pad_packed_sequence(
                self.lstm(run)[0], batch_first=True, total_length=words.shape[1]
            )
            return self.emission(torch.cat([features, self.dropout(out)], -1))

    def log_normalizer(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """log Z [S] of emissions [S, T, K] under the CRF; tags out of order weigh nothing."""
        start = self.start.masked_fill(~self.start_legal, NEVER)
        transitions = self.transitions.masked_fill(~self.transitions_legal, NEVER)
        end = self.end.masked_fill(~self.end_legal, NEVER)
        alpha = start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            onward = torch.logsumexp(alpha[:, :, None] + transitions, 1) + emissions[:, t]
            alpha = torch.where((t < lengths)[:, None], onward, alpha)
        return torch.logsumexp(alpha + end, 1)

    def loss(self, batch: Batch) -> Tensor:
        """-log of the share of all taggings that the annotation permits, a word."""
        emissions = self.emissions(batch)
        lengths = self.placed(batch.lengths)
        both = self.log_normalizer(
            torch.cat([emissions, self._held(emissions, batch)]), torch.cat([lengths, lengths])
        )
        everything, permitted = both.chunk(2)
        return (everything - permitted).sum() / lengths.sum()

    def marginals(self, batch: Batch) -> list[np.ndarray[Any, Any]]:
        """Of each sentence the probability of each tag given what is permitted, float32 [T, K]."""
        with torch.no_grad(), torch.autocast(self.start.device.type, dtype=torch.bfloat16):
            emissions = self._held(self.emissions(batch), batch)
        emissions.requires_grad_()
        total = self.log_normalizer(emissions, self.placed(batch.lengths)).sum()
        # the derivative of log Z by an emission is the marginal of its tag
        found = torch.autograd.grad(total, emissions)[0].cpu().numpy()
        return [row[:length] for row, length in zip(found, batch.lengths, strict=True)]

    def _held(self, emissions: Tensor, batch: Batch) -> Tensor:
        """The emissions, NEVER where the annotation does not permit the tag."""
        bits = self.placed(batch.permitted)[:, :, None]
        bits = bits >> torch.arange(len(TAGS), device=bits.device)
        return emissions.masked_fill((bits & 1) == 0, NEVER)

    def learnt(self) -> dict[str, Tensor]:
        """The weights that training changes."""
        return {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}


def load(folder: Path, checkpoint: Path, device: str = "cpu") -> Teacher:
    """The teacher of a checkpoint of train.py on the language model of `folder`, on a device."""
    teacher = Teacher(folder)
    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    missing = set(teacher.learnt()) ^ set(state["weights"])
    if missing:
        raise SystemExit(f"{checkpoint}: not a checkpoint of this teacher: {sorted(missing)[:3]}")
    teacher.load_state_dict(state["weights"], strict=False)
    return teacher.eval().to(device)
