"""What a frozen program that imports fastner needs beside what its import statements say."""

from PyInstaller.utils.hooks import collect_data_files

# the embedded model: load() without a path opens it
datas = collect_data_files("fastner.models", includes=["*/*"])
# imported by the compiled modules, where PyInstaller cannot see it
hiddenimports = ["fastner.errors", "fastner.vocab", "fastner._native", "fastner._text"]
