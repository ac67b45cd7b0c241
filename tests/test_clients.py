"""The clients under docs/clients: golden cases in Node and in Chromium, and Unicode's every letter.

Skipped where Node, its packages (`npm install --ignore-scripts` in docs/clients), the browser or
engine.wasm (`npm run engine`, with emscripten) are absent. Nothing leaves 127.0.0.1.
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
from small import EMBEDDED

import fastner
from fastner.deploy.tokens import GOLDEN_TOKENS, tokenizer_json
from fastner.lists.rules import LANGUAGES, words_of
from fastner.reading import folded, plain, tables
from fastner.verify import case_id
from fastner.vocab import Vocabulary

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / "docs" / "clients"
GOLDEN = Path(__file__).parent / "golden"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
NODE = shutil.which("node")
ENGINE = CLIENTS / "web" / "engine.wasm"
# Classified otherwise by later versions of Unicode, see docs/onnx.md.
CHANGED_FORMS = {0x295, 0x1171E}
CHANGED_CASES = {0x295, 0x10FC, 0xA7F2, 0xA7F3, 0xA7F4, 0xAB69}


def node(
    *arguments: str | Path,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
    timeout: int = 240,
) -> str:
    if NODE is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        [NODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=folder,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stdout


def need(package: str) -> None:
    if not (CLIENTS / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not installed: npm install --ignore-scripts in docs/clients")


def need_engine() -> None:
    if not ENGINE.is_file():
        pytest.skip("engine.wasm is not built: npm run engine in docs/clients, with emscripten")


def need_engine_for(export: Path) -> None:
    need_engine()
    if json.loads((export / "config.json").read_bytes())["recurrences"] != "float32":
        pytest.skip("the engine runs no recurrences of onnxruntime's own")


@pytest.fixture(scope="module", params=["float32", "int8"])
def export(tmp_path_factory, request):
    """An export with such recurrences."""
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    model = EMBEDDED if os.path.isdir(EMBEDDED) else GOLDEN / "bundle-1.0"
    folder = tmp_path_factory.mktemp("clients") / "export"
    export_onnx(model, folder, recurrences=request.param)
    return folder


def golden_counts(export: Path) -> str:
    """What a client says that has replayed all."""
    cases, texts = (
        (export / name).read_bytes().count(b"\n") for name in ("golden.jsonl", "tokens.jsonl")
    )
    assert cases >= 300  # fewer where 8 bits leave more paths close to each other
    assert texts >= 400
    return f": {texts} texts, {cases} cases, 0 differences"


def test_node_gives_the_golden_tags(export):
    need("onnxruntime-node")
    line = node(CLIENTS / "node" / "test.mjs", export)
    assert golden_counts(export) in line


def test_node_finds_the_entities_that_python_finds(export, tmp_path):
    """In all golden texts, from their characters on."""
    need("onnxruntime-node")
    if json.loads((export / "config.json").read_bytes())["recurrences"] != "float32":
        pytest.skip("8 bits give other tags")
    cases = []
    model = EMBEDDED if os.path.isdir(EMBEDDED) else GOLDEN / "bundle-1.0"
    with fastner.load(model, engine="onnxruntime") as tagger:  # in full precision, as exports are
        for line in (export / "tokens.jsonl").read_text("ascii").splitlines():
            golden = json.loads(line)
            options = {name: golden["options"][name] for name in ("lines", "html")}
            found = tagger(golden["text"], **options).entities
            entities = [
                {"text": e.text, "label": e.label, "start": e.start, "end": e.end} for e in found
            ]
            cases.append({"text": golden["text"], "options": options, "entities": entities})
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ load }} from "./fastner.mjs";
        import * as ort from "onnxruntime-node";
        const tagger = await load(ort, {json.dumps(str(export))});
        const path = {json.dumps(str(tmp_path / "cases.json"))};
        for (const {{ text, options, entities }} of JSON.parse(readFileSync(path, "utf-8"))) {{
          const got = await tagger.tagText(text, options);
          if (JSON.stringify(got) !== JSON.stringify(entities))
            console.log(JSON.stringify([text, options, entities, got]));
        }}"""
    assert node("--input-type=module", "-e", script, folder=CLIENTS / "node") == ""
    assert sum(len(case["entities"]) for case in cases) > 100


@pytest.mark.parametrize(
    "page", ["README.md", "docs/clients/node/README.md", "docs/clients/web/README.md"]
)
def test_node_runs_the_client_of_the_documentation(export, page):
    engine = page == "docs/clients/web/README.md"
    if engine:
        need_engine_for(export)
    else:
        need("onnxruntime-node")
    code = re.search(r"```js\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[1]
    code, paths = re.subn(r'"[./]*exported"', json.dumps(str(export)), code)
    assert paths == 1
    folder = CLIENTS / ("web" if engine else "node")
    said = node("--input-type=module", "-e", code, folder=folder).splitlines()
    if os.path.isdir(EMBEDDED):
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


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("golden.jsonl", '"tag_ids": [0', '"tag_ids": [1', "tag_ids"),
        ("tokens.jsonl", "[[0,6],[7,", "[[0,5],[7,", "text 0, "),
    ],
)
def test_node_notices_a_difference(export, tmp_path, name, old, new, problem):
    need("onnxruntime-node")
    for path in export.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    golden = tmp_path / name
    text = golden.read_text(encoding="utf-8")
    assert old in text
    golden.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(AssertionError, match=problem):
        node(CLIENTS / "node" / "test.mjs", tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt", "tokenizer.json"])
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
        const format = {{ name: "fastner-onnx", version: 2 }};
        const english = {{ words: {{}}, spaced_closers: [] }};
        const rules = JSON.stringify(
          {{ pattern: ".", classes: {{}}, entities: {{}}, languages: {{ en: english }} }});
        const digests = {{ "vocab.txt": sha256("a\\n"), "tokenizer.json": sha256(rules),
          "model.onnx": sha256("model") }};
        const ort = {{ InferenceSession: {{ create: async () => console.log("session") }} }};
        const tries = [["model", digests, true], ["modem", digests, true], ["model", {{}}, true],
          ["model", undefined, true], ["modem", digests, false]];
        for (const [model, sha256, secure] of tries) {{
          const value = secure ? webcrypto : undefined;
          Object.defineProperty(globalThis, "crypto", {{ value, configurable: true }});
          const config = JSON.stringify({{ format, characters: [], sha256 }});
          const files = {{ "config.json": config, "vocab.txt": "a\\n", "tokenizer.json": rules,
            "model.onnx": model }};
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


@pytest.mark.parametrize("runtime", ["engine", "onnxruntime"])
def test_chromium_gives_the_golden_tags(export, runtime):
    if runtime == "onnxruntime":
        need("onnxruntime-web")
    else:
        need_engine_for(export)
    need("playwright-core")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed; CHROMIUM names another")
    # what waits in it has limits
    line = node(CLIENTS / "web" / "test.mjs", export, runtime, timeout=900)
    assert golden_counts(export) in line
    assert ("own kernels" in line) == (runtime == "engine")


@pytest.mark.parametrize(
    ("bundle", "options"),
    [("bundle-1.0", {"vectors": "float16"}), ("bundle-1.0-iob2", {"vectors": "int8"})],
)
def test_the_engine_gives_the_golden_tags(tmp_path, bundle, options):
    """With vectors of each type; the models that come with fastner have product codes."""
    need_engine()
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    export_onnx(GOLDEN / bundle, tmp_path / "export", **options)
    cases = run_engine(
        tmp_path / "export",
        """
        const { parseLines, replay } = await import("../node/golden.mjs");
        const golden = parseLines(readFileSync(`${folder}/golden.jsonl`, "utf-8"));
        const { cases, problems } = await replay(await load(runtime, folder), golden);
        for (const problem of problems) console.log(problem);
        console.log(cases);""",
    )
    assert int(cases) >= 300


def test_the_engine_keeps_to_the_contract_of_the_graph(export):
    """What lies in the padding never matters, and ids out of range are refused."""
    need_engine_for(export)
    said = run_engine(
        export,
        """
        const tagger = await load(runtime, folder);
        const session = await runtime.InferenceSession.create(readFileSync(`${folder}/model.onnx`));
        const sentences = [["Ada", "Lovelace", "moved", "to", "Oslo", "."], ["Oslo"], ["x"]];
        const names = ["tag_ids", "scores", "emissions"];
        const run = async (change) => {
          const inputs = tagger.encode(sentences);
          inputs.lengths.data[2] = 0;
          change(inputs);
          const outputs = await session.run(inputs, names);
          return names.map((name) => Array.from(outputs[name].data));
        };
        const plain = await run(() => {});
        const noisy = await run(({ word_ids, characters }) => {
          word_ids.data.fill(-7, 7 * 3); // from the second sentence's padding on
          characters.data.fill(9999, 7 * characters.dims[2]);
        });
        const tags = plain[0].slice(0, 7), emissions = plain[2];
        console.log(JSON.stringify(plain) === JSON.stringify(noisy));
        console.log(plain[0].slice(7).every((id) => id === 0), plain[1][2] === 0);
        console.log(emissions.slice(7 * tagger.config.tags.length).every((score) => score === 0));
        const alone = await tagger.run([sentences[0]]);
        console.log(JSON.stringify(alone.tagIds[0]) === JSON.stringify(tags.slice(0, 6)));
        for (const [name, id] of [["word_ids", -1], ["word_ids", 2 ** 30], ["case_ids", 8],
            ["characters", 1e6], ["characters", -1]]) {
          try { await run((inputs) => (inputs[name].data[0] = id)); console.log("taken"); }
          catch (error) { console.log(error.name); }
        }""",
    ).splitlines()
    assert said == ["true", "true true", "true", "true", *["RangeError"] * 5]


def test_the_engine_refuses_another_graph(tmp_path):
    need_engine()
    pytest.importorskip("onnx", reason="exporting needs the train extra")
    from fastner.deploy import export_onnx

    export_onnx(GOLDEN / "bundle-1.0", tmp_path / "int8", recurrences="int8")
    export_onnx(GOLDEN / "bundle-1.5", tmp_path / "lists", vectors="float32")
    graphs = [(tmp_path / name / "model.onnx").read_bytes() for name in ("int8", "lists")]
    graphs += [b"", b"\x3a", graphs[1][:-1], b"\xff" * 9]
    for number, graph in enumerate(graphs):
        (tmp_path / f"{number}.onnx").write_bytes(graph)
    said = run_engine(
        tmp_path,
        f"""
        for (let i = 0; i < {len(graphs)}; i++) {{
          const model = readFileSync(`${{folder}}/${{i}}.onnx`);
          try {{ await runtime.InferenceSession.create(model); }}
          catch (error) {{ console.log(error.message); }}
        }}""",
    ).splitlines()
    other = "model.onnx: expected {}, got another graph; run it by onnxruntime"
    whole = other.format("a whole file")
    assert said == [
        other.format("one LSTM"),
        other.format("an LSTM that reads features alone"),
        other.format("a graph"),
        *[whole] * 3,
    ]


def run_engine(folder: Path, script: str) -> str:
    """What a script says that is given the engine as `runtime`, beside `folder` and `load`."""
    opening = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ load }} from "../node/fastner.mjs";
        import {{ openEngine }} from "./engine.mjs";
        const folder = {json.dumps(str(folder))};
        const runtime = await openEngine(readFileSync("engine.wasm"));"""
    return node("--input-type=module", "-e", opening + script, folder=CLIENTS / "web")


@pytest.mark.parametrize("form", [{"name": "fastner-onnx", "version": 4}, {"name": "x"}, None])
def test_javascript_refuses_another_format(form):
    script = f"""
        import {{ Tagger }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        try {{ new Tagger(null, null, {json.dumps({"format": form})}, null); }}
        catch (error) {{ console.log(error.message); }}"""
    said = node("--input-type=module", "-e", script)
    assert said.startswith("expected config.json of format fastner-onnx 1, 2, 3, got ")
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


def test_javascript_entities_and_offsets():
    """Offsets count code points; markup is stepped over."""
    script = f"""
        import {{ entities }} from {json.dumps((CLIENTS / "node/fastner.mjs").as_uri())};
        import {{ textEntities }} from {json.dumps((CLIENTS / "node/edges.mjs").as_uri())};
        import {{ unitOffsets }} from {json.dumps((CLIENTS / "node/text.mjs").as_uri())};
        const text = "😀 Ada *Roe*!";
        const words = [[0, 1], [2, 5], [7, 10], [11, 12]].map(
          ([start, end]) => ({{ text: Array.from(text).slice(start, end).join(""), start, end }}));
        const lists = {{ possessives: [], given: [], titles: [], greetings: [], degrees: [],
          people: ["PER"], places: [], trimmed: ["!"], invisible: [], brackets: [] }};
        console.log(JSON.stringify([
          entities(["B-PER", "I-PER", "B-PER", "O", "B-LOC"]),
          textEntities(text, [{{ words, tags: ["O", "B-PER", "I-PER", "I-PER"] }}], lists),
          Array.from(unitOffsets("a😀b\\ud83d")),
        ]));"""
    found, of_text, units = json.loads(node("--input-type=module", "-e", script))
    assert [(e["start"], e["end"], e["label"]) for e in found] == [
        (0, 2, "PER"), (2, 3, "PER"), (4, 5, "LOC"),
    ]  # fmt: skip
    assert of_text == [{"text": "Ada *Roe", "label": "PER", "start": 2, "end": 10}]
    assert units == [0, 1, 3, 4, 5]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("tokenize(5)", "TypeError: expected a string, got number"),
        ("tokenize('a', { lines: 'x' })", "RangeError: expected lines out of auto,"),
        ("tokenize('a', { language: 'x' })", "RangeError: expected a language out of en,"),
    ],
)
def test_javascript_tokenizer_refuses_other_options(tmp_path, call, said):
    rules = tmp_path / "tokenizer.json"
    rules.write_bytes(tokenizer_json())
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ Tokenizer }} from {json.dumps((CLIENTS / "node/text.mjs").as_uri())};
        const rules = JSON.parse(readFileSync({json.dumps(str(rules))}, "utf-8"));
        const tokenizer = new Tokenizer(rules);
        try {{ tokenizer.{call}; }} catch (error) {{ console.log(String(error)); }}"""
    assert node("--input-type=module", "-e", script).startswith(said)


def test_javascript_tokenises_hostile_text_as_python_does(tmp_path):
    """Golden texts torn apart and random ones, in all options, with lone surrogates."""
    rng = random.Random(7)
    alphabet = list(
        "aB1.,'!?-|*_`<>&;#()[]/@:\"’»« \n\n\t\r\f\u200b\xad\u2010\u2028éÉ東かไำ😀！Ａ𝐀\ud800"
    )
    alphabet += "Mr U.S. Inc http://x.y/z &amp; &nbsp; <b> <p> n't ... l' 't ## Hi, From:".split()
    alphabet += "<pre> </pre> =' pre- and Joe met [4] [a ¹ .... .Then is".split()
    alphabet += ['<i a="x>" b>', "\r\n", "   "]
    words = [w for kind in words_of("en").values() for w in kind]
    lines = GOLDEN_TOKENS.read_text("ascii").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    cases = []
    for _ in range(3000):
        pieces = rng.choice([alphabet, [*alphabet, *words], list("".join(rng.sample(texts, 2)))])
        if len(pieces) < len(alphabet) or rng.random() < 0.6:
            pieces = [rng.choice([*pieces, " "]) for _ in range(rng.randint(1, 30))]
        for _ in range(rng.randint(0, 6)):
            at = rng.randrange(len(pieces) + 1)
            pieces[at : at + rng.randint(0, 3)] = [rng.choice(alphabet)]
        text = "".join(pieces)
        options = {
            "language": rng.choice(LANGUAGES),
            "lines": rng.choice(["auto", "auto", "sentences", "wrapped"]),
            "html": rng.random() < 0.3,
        }
        sentences = [
            [[t.start, t.end, True] if t.markup else [t.start, t.end] for t in sentence]
            for sentence in fastner.tokenize(text, **options)
        ]
        cases.append({"text": text, "options": options, "sentences": sentences})
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json())
    script = f"""
        import {{ readFileSync }} from "node:fs";
        import {{ Tokenizer }} from {json.dumps((CLIENTS / "node/text.mjs").as_uri())};
        import {{ replayTexts }} from {json.dumps((CLIENTS / "node/golden.mjs").as_uri())};
        const read = (name) => JSON.parse(readFileSync(name, "utf-8"));
        const tokenizer = new Tokenizer(read("tokenizer.json"));
        const {{ texts, problems }} = replayTexts(tokenizer, read("cases.json"));
        console.log(texts);
        for (const problem of problems.slice(0, 20)) console.log(problem);"""
    said = node("--input-type=module", "-e", script, folder=tmp_path).splitlines()
    assert said == [str(len(cases))]
