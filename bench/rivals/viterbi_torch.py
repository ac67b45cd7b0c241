"""pytorch-crf's CRF.decode, in inference mode on one thread."""

from __future__ import annotations

from typing import Any

from bench.harness import version_of
from bench.rivals.viterbi import Decode, serve_decoder


def imports() -> dict[str, str]:
    import torch
    import torchcrf  # noqa: F401 - to know that it is there

    torch.set_num_threads(1)
    return version_of("pytorch-crf", "torch")


def prepare(way: str, emissions: Any, transitions: Any, lengths: Any) -> Decode:
    import torch
    from torchcrf import CRF

    crf = CRF(emissions.shape[2], batch_first=True)
    with torch.no_grad():
        crf.start_transitions.zero_()
        crf.end_transitions.zero_()
        crf.transitions.copy_(torch.from_numpy(transitions))
    scores = torch.from_numpy(emissions)
    mask = torch.arange(emissions.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]

    def decode() -> list[list[int]]:
        with torch.inference_mode():
            return crf.decode(scores, mask)

    return decode


def paths_of(decoded: list[list[int]]) -> list[list[int]]:
    longest = max(map(len, decoded))
    return [path + [0] * (longest - len(path)) for path in decoded]


if __name__ == "__main__":
    serve_decoder(imports, prepare, paths_of)
