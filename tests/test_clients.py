"""The clients under docs/clients: golden cases in Node and in Chromium, and Unicode's every letter.

Skipped where Node, its packages (`npm install --ignore-scripts` in docs/clients) or the browser
are absent. Nothing leaves 127.0.0.1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from fastner.reading import folded, plain, tables
from fastner.tagger import EMBEDDED
from fastner.verify import case_id
from fastner.vocab import Vocabulary

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "docs" / "clients"
GOLDEN = Path(__file__).parent / "golden"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
NODE = shutil.which("node")
# Classified otherwise by later versions of Unicode, see docs/onnx.md.
CHANGED_FORMS = {0x295, 0x1171E}
CHANGED_CASES = {0x295, 0x10FC, 0xA7F2, 0xA7F3, 0xA7F4, 0xAB69}


def node(
    *arguments: str | Path,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    if NODE is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [NODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def need(package: str) -> None:
    if not (CLIENTS / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed: npm install --ignore-scripts in docs/clients")


@pytest.fixture(scope="module", params=["float32", "int8"])
def export(tmp_path_factory, request):
    """An export with such recurrences."""
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    model = EMBEDDED if EMBEDDED.is_dir() else GOLDEN / "bundle-1.0"
    folder = tmp_path_factory.mktemp("clients") / "export"
    export_onnx(model, folder, recurrences=request.param)
    return folder


def golden_cases(export: Path) -> int:
    count = (export / "golden.jsonl").read_bytes().count(b"\n")
    assert count >= 300  # fewer where 8 bits leave more paths close to each other
    return count


def test_node_gives_the_golden_tags(export):
    need("onnxruntime-node")
    line = node(CLIENTS / "node" / "test.mjs", export)
    assert f": {golden_cases(export)} cases, 0 differences" in line


@pytest.mark.parametrize("page", ["README.md", "docs/clients/node/README.md"])
def test_node_runs_the_client_of_the_documentation(export, page):
    need("onnxruntime-node")
    code = re.search(r"```js\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[1]
    code, paths = re.subn(r'"[./]*exported"', json.dumps(str(export)), code)
    assert paths == 1
    said = node("--input-type=module", "-e", code, folder=CLIENTS / "node").splitlines()
    if EMBEDDED.is_dir():
        assert said == ["Ada Lovelace PER", "New Zealand LOC"]


@pytest.mark.skipif(os.name != "posix", reason="the home of another system")
def test_node_writes_nothing_below_the_home(tmp_path):
    need("onnxruntime-node")
    script = f"""
        const {{ load }} = await import({json.dumps((CLIENTS / "node/fastner.mjs").as_uri())});
        const ort = await import("onnxruntime-node");
        console.log(typeof load, typeof ort.InferenceSession);"""
    kept = {k: v for k, v in os.environ.items() if k not in (*HOMES, "ORT_DISABLE_TELEMETRY")}
    environment = kept | {"HOME": str(tmp_path)}
    said = node("--input-type=module", "-e", script, folder=CLIENTS, environment=environment)
    assert said == "function function\n"
    assert list(tmp_path.rglob("*")) == []


def test_node_notices_a_difference(export, tmp_path):
    need("onnxruntime-node")
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    golden = tmp_path / "golden.jsonl"
    text = golden.read_text(encoding="utf-8")
    golden.write_text(text.replace('"tag_ids": [0', '"tag_ids": [1', 1), encoding="utf-8")
    with pytest.raises(AssertionError, match="tag_ids"):
        node(CLIENTS / "node" / "test.mjs", tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt"])
def test_node_runs_no_other_bytes_than_those_exported(export, tmp_path, name):
    need("onnxruntime-node")
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AssertionError, match=f"{name}: expected SHA-256 .* as in config.json"):
        node(CLIENTS / "node" / "test.mjs", tmp_path)


def test_digests_come_before_the_session():
    """What is damaged reaches no onnxruntime where there is SubtleCrypto; without it, it is run."""
    script = f"""
        import {{ createHash, webcrypto }} from "node:crypto";
        import {{ loadUrl }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        const sha256 = (text) => createHash("sha256").update(text).digest("hex");
        const format = {{ name: "fastner-onnx", version: 1 }};
        const digests = {{ "vocab.txt": sha256("a\\n"), "model.onnx": sha256("model") }};
        const ort = {{ InferenceSession: {{ create: async () => console.log("session") }} }};
        const tries = [["model", digests, true], ["modem", digests, true], ["model", {{}}, true],
          ["model", undefined, true], ["modem", digests, false]];
        for (const [model, sha256, secure] of tries) {{
          const value = secure ? webcrypto : undefined;
          Object.defineProperty(globalThis, "crypto", {{ value, configurable: true }});
          const config = JSON.stringify({{ format, characters: [], sha256 }});
          const files = {{ "config.json": config, "vocab.txt": "a\\n", "model.onnx": model }};
          globalThis.fetch = async (url) => new Response(files[url.pathname.slice(1)]);
          try {{ await loadUrl(ort, "http://x/"); }}
          catch (error) {{ console.log(error.message.slice(0, 34)); }}
        }}"""
    said = node("--input-type=module", "-e", script).splitlines()
    assert said[0] == said[4] == "session" and len(said) == 5
    assert said[1].startswith("model.onnx: expected SHA-256 ")
    assert said[2] == said[3] == "vocab.txt: expected SHA-256 undefi"


def test_the_page_has_a_content_security_policy():
    """It names its own style and script by digest, and runs nothing else that stands in a page."""
    page = (CLIENTS / "web" / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'-Security-Policy"\s+content="(.*?)">', page, re.DOTALL)[1]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert rules["connect-src"] == ["'self'"] and "unsafe-inline" not in policy
    for kind, rule in (("style", "style-src"), ("script", "script-src")):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules[rule]
    assert not re.search(r"<[^>]+ (on\w+|style)=", page)


def test_chromium_gives_the_golden_tags(export):
    need("onnxruntime-web")
    need("playwright-core")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed; CHROMIUM names another")
    line = node(CLIENTS / "web" / "test.mjs", export)
    assert f": {golden_cases(export)} cases, 0 differences" in line


@pytest.mark.parametrize("form", [{"name": "fastner-onnx", "version": 3}, {"name": "x"}, None])
def test_javascript_refuses_another_format(form):
    script = f"""
        import {{ Tagger }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        try {{ new Tagger(null, null, {json.dumps({"format": form})}, null); }}
        catch (error) {{ console.log(error.message); }}"""
    said = node("--input-type=module", "-e", script)
    assert said.startswith("expected config.json of format fastner-onnx 1 or 2, got ")
    assert "export the model again" in said


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="exceptions of Unicode 14 and 15")
def test_every_code_point_has_the_same_forms_and_case(tmp_path):
    """Alone, in company, and around a capital sigma, whose lower case depends on its place."""
    frames = ["{}", "A{}", "{}a", "AΣ{}", "AΣ{}A", "A{}Σ"]
    points = [
        point
        for point in range(0x110000)
        if unicodedata.category(chr(point)) not in ("Cn", "Co", "Cs", "Lo")
        or (unicodedata.category(chr(point)) == "Lo" and point < 0x3400)  # not all of Chinese
    ]
    rows = []
    for point in points:
        words = [frame.format(chr(point)) for frame in frames]
        lower = [word.lower() for word in words]
        digits = ["".join("0" if c.isdecimal() else c for c in word) for word in lower]
        rows.append([words, lower, digits, [case_id(word) for word in words]])
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ caseId, forms }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        const rows = JSON.parse(readFileSync({json.dumps(str(tmp_path / "rows.json"))}, "utf-8"));
        const wrong = {{ forms: [], cases: [] }};
        for (const [words, lower, digits, cases] of rows) {{
          const point = words[0].codePointAt(0);
          const same = (word, i) => {{
            const [exact, low, folded] = forms(word);
            return exact === word && low === lower[i] && folded === digits[i];
          }};
          if (!words.every(same)) wrong.forms.push(point);
          if (!words.every((word, i) => caseId(word) === cases[i])) wrong.cases.push(point);
        }}
        console.log(JSON.stringify(wrong));"""
    wrong = json.loads(node("--input-type=module", "-e", script))
    assert len(points) > 15_000
    assert set(wrong["forms"]) <= CHANGED_FORMS
    assert set(wrong["cases"]) <= CHANGED_CASES


def test_javascript_reads_words_alike(tmp_path):
    """Random words out of what the rule is about, in vocabularies of some of their forms."""
    rng = random.Random(0)
    parts = [
        *"aAbeéouzZ&;#-0ıİſßẞæÆøØłþ’“–…'\" \n\r\u2028\u00a0\u3000\u2010Σςйΐאָ中ﬁＡｶﾞ𝐏ℂ\u0301\u0316"
    ]
    parts += [*"\u00ad\u200b\u200d\u2060\ufeff\ufe0f\U000e0101\u034f", "&amp;", "&#39;", "&#xe9;"]
    parts += ["&eacute;", "&#0;", "&foo;", "-\n", "- \r\n", "\u00ad\n", "e\u0301" * 130]
    rounds = []
    for _ in range(60):
        words = ["".join(rng.choices(parts, k=rng.randint(1, 6))) for _ in range(60)]
        forms = {form for word in words for form in (folded(word), plain(folded(word)))}
        forms |= {folded(word.replace("-\n", "")).lower() for word in words}
        kept = [form for form in forms if form and "\n" not in form and rng.random() < 0.5]
        rng.shuffle(kept)
        vocabulary = Vocabulary.from_words(
            kept,
            vector_rows=rng.randint(0, len(kept)),
            characters=sorted(map(ord, rng.sample("abeéouzZßæø’'“-", 9))),
            max_characters=9,
            reading=True,
        )
        config = {
            "format": {"name": "fastner-onnx", "version": 2},
            "characters": vocabulary.characters,
            "reading": {**tables(), "vector_rows": vocabulary.vector_rows},
        }
        lines = vocabulary.words.decode()
        rounds.append([config, lines, words, vocabulary.readings(words)])
    (tmp_path / "rounds.json").write_text(json.dumps(rounds), encoding="utf-8")
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ Tagger }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        const path = {json.dumps(str(tmp_path / "rounds.json"))};
        let changed = 0;
        for (const [config, lines, words, readings] of JSON.parse(readFileSync(path, "utf-8"))) {{
          const tagger = new Tagger(null, null, config, new TextEncoder().encode(lines));
          words.forEach((word, i) => {{
            const got = tagger.read(word);
            if (got !== readings[i])
              throw new Error(JSON.stringify([word, readings[i], got, lines, config.characters]));
            changed += got !== word;
          }});
        }}
        console.log(changed);"""
    assert int(node("--input-type=module", "-e", script)) > 1500


def test_javascript_refuses_a_rule_that_it_does_not_know():
    config = {
        "format": {"name": "fastner-onnx", "version": 2},
        "characters": [],
        "reading": {**tables(), "vector_rows": 0, "rule": 2},
    }
    script = f"""
        import {{ Tagger }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        try {{ new Tagger(null, null, {json.dumps(config)}, new Uint8Array()); }}
        catch (error) {{ console.log(error.message); }}"""
    said = node("--input-type=module", "-e", script)
    assert said.startswith("expected words that are read by rule 1, got 2")


def test_javascript_tokenizer_and_entities():
    script = f"""
        import {{ entities, tokenize }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        const text = "Ada's firm, Acme Corp., paid $1,234.56 to U.S. banks. " +
          "Noor left 😀!\\n\\n東京";
        const sentences = tokenize(text);
        for (const {{ text: word, start, end }} of sentences.flat())
          if (text.slice(start, end) !== word) throw new Error(word);
        const tags = ["B-PER", "I-PER", "B-PER", "O", "B-LOC"];
        const words = sentences.map((tokens) => tokens.map((token) => token.text));
        console.log(JSON.stringify([words, entities(tags)]));"""
    sentences, entities = json.loads(node("--input-type=module", "-e", script))
    assert sentences == [
        "Ada 's firm , Acme Corp. , paid $ 1,234.56 to U.S. banks .".split(),
        ["Noor", "left", "😀", "!"],
        ["東京"],
    ]
    assert [(e["start"], e["end"], e["label"]) for e in entities] == [
        (0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC"),
    ]  # fmt: skip
