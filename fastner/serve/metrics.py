"""What a service counts, in Prometheus' text format; used from one event loop."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters since the start of this process."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by path and status
        self.texts = 0
        self.tokens = 0
        self.entities = 0
        self._latencies = [0] * (len(BOUNDS) + 1)  # of /tag; the last is beyond all bounds
        self._seconds = 0.0

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Counts a request. path: one of few, since each makes a line."""
        self.requests[path, status] += 1
        if path == "/tag":
            self._latencies[bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds

    def render(self, *, info: Mapping[str, str], gauges: Mapping[str, tuple[str, int]]) -> str:
        """All of them, behind each its value. info: labels of fastner_info; gauges: of now."""
        lines: list[str] = []

        def metric(name: str, kind: str, help: str, samples: Iterable[str]) -> None:
            lines.append(f"# HELP {name} {help}")
            lines.append(f"# TYPE {name} {kind}")
            lines.extend(samples)

        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in info.items())
        metric("fastner_info", "gauge", "What runs here.", [f"fastner_info{{{labels}}} 1"])
        metric(
            "fastner_requests_total", "counter", "Requests answered, by path and status.",
            (f'fastner_requests_total{{path="{path}",status="{status}"}} {count}'
             for (path, status), count in sorted(self.requests.items())),
        )  # fmt: skip
        name = "fastner_request_seconds"
        buckets, total = [], 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._latencies, strict=True):
            total += count
            buckets.append(f'{name}_bucket{{le="{bound}"}} {total}')
        buckets += [f"{name}_sum {self._seconds!r}", f"{name}_count {total}"]
        metric(name, "histogram", "Seconds from a /tag request's head to its answer.", buckets)
        for what in ("texts", "tokens", "entities"):
            name = f"fastner_{what}_total"
            metric(name, "counter", f"{what.title()} answered.", [f"{name} {getattr(self, what)}"])
        for name, (help, value) in gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            metric(name, kind, help, [f"{name} {value}"])
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
