"""What a frozen program that imports fastner needs beside what its import statements say."""

from PyInstaller.utils.hooks import collect_data_files

# the models that load() opens by their names
datas = collect_data_files("fastner.models", includes=["*/*"])
# put into every export
datas += collect_data_files("fastner.deploy", includes=["tokens.jsonl"])
# imported by the compiled modules, where PyInstaller cannot see it
hiddenimports = ["fastner.errors", "fastner.vocab", "fastner._native", "fastner._text"]
