"""Fuzzes targets under atheris: `python -m tests.fuzz [NAME …] [--seconds N] [--jobs N]`.

Each target runs in a process of its own, guided by the lines that it reaches in fastner, in the
target and in the oracle (compiled code gives no such signal). What led somewhere new is kept in
.fuzz/NAME, outside git, and the next run goes on from there; an input with a finding is written to
.fuzz/found, and the run ends with an error. To keep it as a test, mend the fault and copy the
input to tests/fuzz/found.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
WORK = ROOT / ".fuzz"
KEPT = TESTS / "fuzz" / "found"
sys.path[:0] = [str(ROOT), str(TESTS)]  # this clone's fastner, and what pytest finds as well


def fuzz(name: str, options: list[str]) -> None:
    """Runs one target in this process, which ends with it."""
    import atheris

    modules = ["fastner", "fuzz", "reference"]
    with atheris.instrument_imports(include=modules, exclude=["fuzz.source"]):
        from fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = WORK / name
    corpus.mkdir(parents=True, exist_ok=True)
    kept = [path.read_bytes() for path in sorted(KEPT.glob(f"{name}-*"))]
    for number, seed in enumerate([*target.seeds, *kept]):
        (corpus / f"seed-{number}").write_bytes(seed)
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as words:
        for word in target.words:
            escaped = "".join(f"\\x{byte:02x}" for byte in word.encode())
            words.write(f'"{escaped}"\n')
        words.flush()
        options += [f"-dict={words.name}"] if target.words else []
        options += [f"-max_len={target.longest}", str(corpus)]
        atheris.Setup([sys.argv[0], *options], target.run, internal_libfuzzer=True)
        atheris.Fuzz()


def watch(name: str, seconds: int, seed: int) -> bool:
    """Runs one target in another process and says in a line what came of it."""
    found = WORK / "found"
    found.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={found / name}-",
        "-print_final_stats=1", "-timeout=20", "-rss_limit_mb=4096", "-verbosity=1",
    ]  # fmt: skip
    command = [sys.executable, "-m", "tests.fuzz", "--child", name, *options]
    run = subprocess.run(
        command, cwd=ROOT, text=True, errors="replace", check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    counted = re.findall(
        r"stat::number_of_executed_units: *(\d+)|^#(\d+)", run.stdout, re.MULTILINE
    )
    executions = max((int(first or second) for first, second in counted), default=0)
    said = f"{name}: {executions:,} executions in {time.monotonic() - began:.0f} s, "
    if run.returncode == 0 and executions:
        print(f"{said}no finding, {len(list((WORK / name).iterdir()))} inputs kept", flush=True)
        return True
    lines = [line for line in run.stdout.splitlines() if not re.match(r"#\d|INFO|stat::", line)]
    print(f"{said}FOUND (exit status {run.returncode}):", *lines[-40:], sep="\n", flush=True)
    return False


def main() -> None:
    from fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="of each (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="at a time (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer; 0: another each time")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in TARGETS]:
        parser.error(f"expected names out of {', '.join(TARGETS)}, got {unknown[0]!r}")
    if find_spec("atheris") is None:
        raise SystemExit("fuzz: atheris is not installed: pip install -e '.[fuzz]' (Linux only)")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(
            lambda name: watch(name, options.seconds, options.seed), options.names or TARGETS
        )
    raise SystemExit(0 if all(list(results)) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        fuzz(sys.argv[2], sys.argv[3:])
    else:
        main()
