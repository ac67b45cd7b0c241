"""Builds src_ext/*.pyx into the compiled modules fastner._*; all else is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("FASTNER_DEBUG") == "1"  # bounds checks and assertions on
SANITIZE = os.environ.get("FASTNER_SANITIZE")  # "address,undefined", as .ci/sanitize sets it
CHECKED = DEBUG or bool(SANITIZE)
ANNOTATE = os.environ.get("FASTNER_ANNOTATE") == "1"  # src_ext/*.html: where Cython calls Python

if sys.platform == "win32":
    compile_args = ["/std:c++17", "/O2"]
else:
    # no -march: wider vectors are chosen at run time; no -ffast-math: it breaks -inf
    compile_args = ["-std=c++17", "-g0", "-O0" if DEBUG else "-O1" if SANITIZE else "-O3"]
link_args = []
if SANITIZE:
    # A finding ends the process: the run that met it fails. Python's own flags let integers wrap
    # around, which would be no finding.
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all", "-fno-wrapv"]
    compile_args += ["-fno-omit-frame-pointer", "-g", "-D_GLIBCXX_ASSERTIONS"]
    link_args += [f"-fsanitize={SANITIZE}"]

extensions = [
    Extension(
        f"fastner.{source.stem}",
        [str(source)],
        include_dirs=["src_ext"],
        depends=[
            str(path)
            for kind in ("hpp", "pxd")
            for path in sorted(Path("src_ext").glob(f"**/*.{kind}"))
        ],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        define_macros=[] if CHECKED else [("NDEBUG", "1")],
        undef_macros=["NDEBUG"] if CHECKED else [],  # Python's own flags may define it
        language="c++",
    )
    for source in sorted(Path("src_ext").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        include_path=["src_ext"],  # for .pxd
        annotate=ANNOTATE,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "embedsignature": True,
            # no freethreading_compatible: no Python without a GIL has run the tests yet, so one
            # that imports these modules turns its GIL on
        },
    )
)
