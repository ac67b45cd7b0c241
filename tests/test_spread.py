"""Ray Data and Spark give the columns that Arrow gives, also where a worker dies on the way.

Each needs its extra, and Spark a Java runtime; tests skip, and say so, where these are absent.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from small import EMBEDDED, needs

import fastner
from fastner.errors import BundleError, FastnerError, InputError
from tests.test_pickling import GOLDEN

pa = pytest.importorskip("pyarrow", reason="needs pyarrow")

from fastner import arrow

ROOT = Path(__file__).resolve().parents[1]
NAMES = ["Ada Lovelace", "Grace Hopper", "Oslo", "Paris", "Mercury Bank", "Zürich", "東京 😀"]
PATTERNS = ["{} left {}.", "{} met {}. No name.", "<b>{}</b> – {}", "no name", "", None]
ROWS = 50_000
pytestmark = [
    # what these tools do inside: pandas 3 is new to Spark, and Ray leaves sockets and processes
    # to the garbage collector
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def rows(count):
    """A table of short texts, of which some are null, with a number each."""
    draw = random.Random(18)
    texts = []
    for _ in range(count):
        pattern = draw.choice(PATTERNS)
        texts.append(pattern and pattern.format(draw.choice(NAMES), draw.choice(NAMES)))
    columns = {"id": pa.array(range(count), pa.int64()), "text": pa.array(texts, pa.string())}
    return pa.table(columns)


def piped(tagger, table):
    """How often each row is to come out, from `pipe`."""
    texts = table["text"].to_pylist()
    docs = tagger.pipe([text for text in texts if text is not None], n_threads=1, scores=True)
    expected = Counter()
    for number, text in enumerate(texts):
        found = None
        if text is not None:
            found = tuple((e.start, e.end, e.label, e.score) for e in next(docs).entities)
        expected[number, text, found] += 1
    assert sum(bool(found) for _, _, found in expected) > len(texts) // 4
    return expected


def counted(table):
    """How often each row of a table of Arrow is there."""
    found = Counter()
    for row in table.to_pylist():
        entities = row["entities"]
        if entities is not None:
            entities = tuple((e["start"], e["end"], e["label"], e["score"]) for e in entities)
        found[row["id"], row["text"], entities] += 1
    return found


@pytest.fixture(scope="module")
def tagger():
    with fastner.load(GOLDEN, threads=1) as tagger:
        yield tagger


@pytest.fixture(scope="module", autouse=True)
def environment():
    """What the workers of both inherit."""
    with pytest.MonkeyPatch.context() as patch:
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(path))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(autouse=True)
def bounded():
    """A job that would wait for ever fails its test."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def late(*_):
        raise TimeoutError("expected a job to end in four minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(240)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# What both stand on.


def test_a_table_in_a_table_out(tagger):
    table = rows(60)
    for given in (table, table.to_batches()[0]):
        tagged = arrow.append(tagger, given, "text", scores=True)
        assert type(tagged) is type(given) and tagged.schema.names == ["id", "text", "entities"]
        assert tagged["entities"].equals(arrow.tag(tagger, given, "text", scores=True))
    assert counted(tagged) == piped(tagger, table)
    plain = arrow.append(tagger, table, "text", scores=True, plain=True)
    assert plain["entities"].to_pylist() == tagged["entities"].to_pylist()
    assert plain["entities"].type.value_type.field("label").type == pa.string()
    plain.validate(full=True)
    assert arrow.append(tagger, table, "text", keep=["id"]).schema.names == ["id", "entities"]
    assert arrow.append(tagger, table, "text", keep=[]).schema.names == ["entities"]


@pytest.mark.parametrize(
    ("keep", "said"),
    [("id", "one str"), (["id", "idd"], "'idd' to keep|column 'idd'"), (["entities"], "which is")],
)
def test_columns_that_cannot_be_kept(tagger, keep, said):
    table = rows(3).append_column("entities", pa.array([1, 2, 3]))
    with pytest.raises(InputError, match=said):
        arrow.append(tagger, table, "text", keep=keep)
    with pytest.raises(InputError, match="keep="):
        arrow.append(tagger, table, "text")


def test_rays_class_without_ray(tagger):
    import fastner.ray

    table = rows(60)
    expected = arrow.append(tagger, table, "text", scores=True)
    for model in (tagger, str(GOLDEN)):
        tag = fastner.ray.Tag("text", model, scores=True)
        assert tag(table).equals(expected)
    with pytest.raises(InputError, match='batch_format="pyarrow"'):
        tag({"text": ["Oslo"]})
    with pytest.raises(InputError, match="offsets="):
        fastner.ray.Tag("text", tagger, offsets="words")


# Ray.


@pytest.fixture(scope="module")
def ray(environment):
    if sys.platform == "win32":
        pytest.skip("a worker is killed by SIGKILL, which Windows lacks")
    needs("ray", extra="ray")
    import ray

    folder = tempfile.mkdtemp(prefix="ray")  # short: it holds sockets
    ray.init(
        num_cpus=4,  # for Ray to count with, so that no step of a job waits for another's actor
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        _temp_dir=folder,
        logging_level="error",
        log_to_driver=False,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def test_ray_gives_what_pipe_gives_though_an_actor_dies(ray, tagger, tmp_path):
    import fastner.ray

    marker = tmp_path / "killed"

    class Dying(fastner.ray.Tag):
        def __call__(self, batch):
            tagged = super().__call__(batch)
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return tagged

    table = rows(ROWS)
    dataset = ray.data.from_arrow([table.slice(i, 5000) for i in range(0, ROWS, 5000)]).map_batches(
        Dying,
        fn_constructor_kwargs={"column": "text", "model": tagger, "scores": True},
        batch_format="pyarrow",
        batch_size=2000,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    tagged = pa.concat_tables(ray.get(dataset.to_arrow_refs()))
    assert marker.exists()
    assert counted(tagged) == piped(tagger, table)
    assert tagged.schema.field("entities").type == arrow.entity_type(scores=True)


def test_ray_goes_on_from_its_checkpoint(ray, tagger, tmp_path):
    """What it did of half the input is not done again."""
    import pyarrow.parquet as pq

    import fastner.ray

    checkpoint = pytest.importorskip("ray.data.checkpoint", reason="this Ray has no checkpoints")
    source, out, tagged = tmp_path / "in", tmp_path / "out", tmp_path / "tagged"

    class Noting(fastner.ray.Tag):
        def __call__(self, batch):
            with open(tagged, "a", encoding="utf-8") as file:
                file.writelines(f"{number}\n" for number in batch["id"].to_pylist())
            return super().__call__(batch)

    table = rows(2000)
    source.mkdir()
    context = ray.data.DataContext.get_current()
    context.checkpoint_config = checkpoint.CheckpointConfig(
        "id", str(tmp_path / "checkpoint"), delete_checkpoint_on_success=False
    )
    try:
        for first in (0, 1000):
            pq.write_table(table.slice(first, 1000), source / f"{first}.parquet")
            ray.data.read_parquet(str(source)).map_batches(
                Noting,
                fn_constructor_kwargs={"column": "text", "model": tagger, "scores": True},
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=1),
            ).write_parquet(str(out))
    finally:
        context.checkpoint_config = None
    assert sorted(map(int, tagged.read_text(encoding="utf-8").split())) == list(range(2000))
    written = pa.concat_tables([pq.read_table(path) for path in out.rglob("*.parquet")])
    assert counted(written) == piped(tagger, table)


# Spark.


@pytest.fixture(scope="module")
def spark(environment):
    if sys.platform == "win32":
        pytest.skip("a worker is killed by SIGKILL, which Windows lacks")
    needs("pyspark", extra="spark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("Spark needs a Java runtime, such as Debian's openjdk-17-jre-headless")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2,3]")  # a task has three tries
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "512m")
        .config("spark.log.level", "OFF")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    yield session
    session.stop()
    gateway = session.sparkContext._gateway
    gateway.shutdown()
    if gateway.proc:
        gateway.proc.stdin.close()
        gateway.proc.wait(30)


def frame(spark, table, folder):
    import pyarrow.parquet as pq

    folder.mkdir()
    for part in range(2):
        half = table.slice(part * len(table) // 2, len(table) // 2)
        pq.write_table(half, folder / f"{part}.parquet")
    return spark.read.parquet(str(folder))


def read_back(data, folder):
    """What Spark wrote, so that no object of Spark is made for a row."""
    import pyarrow.parquet as pq

    data.write.parquet(str(folder))
    return pa.concat_tables([pq.read_table(path) for path in folder.glob("*.parquet")])


def test_spark_gives_what_pipe_gives_though_a_worker_dies(spark, tagger, tmp_path):
    import fastner.spark

    marker = tmp_path / "killed"
    tag = fastner.spark.tagger("text", tagger, scores=True)

    def dying(batches):
        for batch in tag(batches):
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    table = rows(ROWS)
    data = frame(spark, table, tmp_path / "in")
    schema = fastner.spark.schema(data.schema, scores=True)
    tagged = read_back(data.mapInArrow(dying, schema), tmp_path / "out")
    assert marker.exists()
    assert counted(tagged) == piped(tagger, table)
    own = arrow.append(tagger, table, "text", scores=True, plain=True).schema
    assert [(f.name, str(f.type).replace("element:", "item:")) for f in tagged.schema] == [
        (f.name, str(f.type)) for f in own
    ]


def test_workers_of_spark_open_a_model_once_and_are_reused(spark, tagger, tmp_path):
    import fastner.spark

    def observed(tag):
        def observe(batches):
            from fastner.tagger import _process  # the worker's

            for batch in tag(batches):
                seen = [os.getpid(), len(_process.taggers)]
                yield pa.RecordBatch.from_arrays(
                    [pa.array([number] * len(batch)) for number in seen], ["process", "taggers"]
                )

        return observe

    data = frame(spark, rows(100), tmp_path / "in")
    processes = []
    for _ in range(2):
        tag = observed(fastner.spark.tagger("text", GOLDEN))
        seen = data.mapInArrow(tag, "process long, taggers long").distinct().collect()
        assert {row.taggers for row in seen} == {1}
        processes.append({row.process for row in seen})
    assert processes[0] & processes[1]
    assert os.getpid() not in processes[0]


@pytest.mark.parametrize("kind", ["arrow", "pandas"])
def test_a_function_of_columns(spark, tagger, tmp_path, monkeypatch, kind):
    import fastner.spark

    if kind == "arrow":
        if not hasattr(fastner.spark.functions, "arrow_udf"):
            pytest.skip("this Spark has no arrow_udf")
    else:
        needs("pandas", extra="spark")
        monkeypatch.delattr(fastner.spark.functions, "arrow_udf", raising=False)
    entities = fastner.spark.entities(tagger, scores=True)
    table = rows(300)
    data = frame(spark, table, tmp_path / "in")
    tagged = read_back(data.withColumn("entities", entities("text")), tmp_path / "out")
    assert counted(tagged) == piped(tagger, table)

    spark.udf.register("entities", fastner.spark.entities(tagger))
    data.createOrReplaceTempView("news")
    (row,) = spark.sql("SELECT sum(size(entities(text))) AS n FROM news WHERE text > ''").collect()
    assert row.n == sum(len(found) for _, _, found in counted(tagged).elements() if found)


def test_schemas_of_spark(spark, tagger):
    import fastner.spark

    given = spark.createDataFrame([], "id long, text string").schema
    text = "entities:array<struct<start:int,end:int,label:string"
    assert fastner.spark.schema(given).simpleString() == f"struct<id:bigint,text:string,{text}>>>"
    kept = fastner.spark.schema(given, keep=["text"], scores=True).simpleString()
    assert kept == f"struct<text:string,{text},score:double>>>"
    with pytest.raises(InputError, match="'words'"):
        fastner.spark.schema(given, keep=["words"])
    with pytest.raises(InputError, match="which is added"):
        fastner.spark.schema(fastner.spark.schema(given))


def test_what_spark_is_handed_is_refused_on_the_driver(spark, tagger, tmp_path):
    import fastner.spark

    with pytest.raises(InputError, match="lines"):
        fastner.spark.tagger("text", tagger, lines="none")
    with pytest.raises(InputError, match="offsets="):
        fastner.spark.entities(tagger, offsets="words")
    with pytest.raises(BundleError):
        fastner.spark.tagger("text", tmp_path / "absent")
    closed = fastner.load(GOLDEN)
    closed.close()
    with pytest.raises(FastnerError, match="closed"):
        fastner.spark.tagger("text", closed)


def test_spark_refuses_another_model_at_the_path(spark, tmp_path):
    from pyspark.errors import PythonException

    import fastner.spark

    model = shutil.copytree(GOLDEN, tmp_path / "model")
    tag = fastner.spark.tagger("text", model)
    manifest = model / "manifest.json"
    manifest.write_text(manifest.read_text().replace("{", "{ ", 1))
    data = frame(spark, rows(10), tmp_path / "in")
    with pytest.raises(PythonException, match="BundleError"):
        data.mapInArrow(tag, fastner.spark.schema(data.schema)).collect()


def test_the_page_of_both(ray, spark):
    if not Path(EMBEDDED, "manifest.json").is_file():
        pytest.skip(f"the embedded model is absent: {EMBEDDED}")
    from tests.test_readme import run_python

    assert run_python("docs/ray-spark.md", {}) == 4
