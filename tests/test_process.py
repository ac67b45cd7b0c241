"""fastner as a guest in a process: forks, exits, threads, and nothing but what was asked for."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small import EMBEDDED

import fastner

ROOT = Path(fastner.__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
MODEL = Path(EMBEDDED) if os.path.isdir(EMBEDDED) else GOLDEN / "bundle-1.3"
ENGINES = ["native", "onnxruntime"]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def python(code, *arguments, seconds=120, before=(), **environment):
    """A process of its own, with this fastner; environment: None removes a variable."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [*before, sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={name: value for name, value in variables.items() if value is not None},
        check=False,
    )


# ---- nothing is sent, nothing is written ---------------------------------------------------------

TAG_WITH_BOTH = """
import sys
asked = []
sys.addaudithook(lambda event, args: event.startswith("socket.") and asked.append((event, args)))
import fastner
for engine in ("native", "onnxruntime"):
    with fastner.load(sys.argv[1], engine=engine) as tagger:
        tagger.tag(["Ada", "moved"]), tagger("Ada moved.", scores=True)
assert "onnxruntime" in sys.modules
assert not asked, asked
"""
SHIM = """
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>
static void say(const char* name) {
    const int file = open(std::getenv("CALLS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (write(file, name, std::strlen(name)) < 0) std::abort();
    close(file);
}
extern "C" int socket(int a, int b, int c) {
    say("socket ");
    return reinterpret_cast<int (*)(int, int, int)>(dlsym(RTLD_NEXT, "socket"))(a, b, c);
}
extern "C" int getaddrinfo(const char* a, const char* b, const addrinfo* c, addrinfo** d) {
    say("getaddrinfo ");
    return reinterpret_cast<int (*)(const char*, const char*, const addrinfo*, addrinfo**)>(
        dlsym(RTLD_NEXT, "getaddrinfo"))(a, b, c, d);
}
"""


def strace(folder):
    """What precedes a command so that its network calls are written to a file; that file."""
    calls = folder / "calls"
    tracer = shutil.which("strace")
    if tracer is None:
        pytest.skip("strace is not installed")
    before = [tracer, "-f", "-qq", "-e", "trace=network", "-e", "signal=none", "-o", str(calls)]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    return calls, before, {}


def shim(folder):
    """The same by a library that stands before libc."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux and a C++ compiler")
    (folder / "shim.cpp").write_text(SHIM, encoding="utf-8")
    library = folder / "shim.so"
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, folder / "shim.cpp", "-ldl"], check=False
    )
    if built.returncode:
        pytest.skip("the compiler does not work")
    calls = folder / "calls"
    return calls, [], {"LD_PRELOAD": str(library), "CALLS": str(calls)}


@pytest.fixture(params=[strace, shim])
def watched(tmp_path, request):
    """The home of a process, and how to run code in it; the network calls that it made."""
    calls, before, environment = request.param(tmp_path)
    home = tmp_path / "home"
    home.mkdir()

    def run(code, *arguments, **more):
        done = python(
            code,
            *arguments,
            before=before,
            **environment,
            HOME=str(home),
            XDG_CACHE_HOME=None,
            XDG_CONFIG_HOME=None,
            XDG_DATA_HOME=None,
            ORT_DISABLE_TELEMETRY=None,
            **more,
        )
        assert done.returncode == 0, done.stderr
        return calls.read_text(encoding="utf-8").split() if calls.exists() else []

    return home, run


def test_tagging_opens_no_socket_and_writes_no_file(watched):
    home, run = watched
    assert run(TAG_WITH_BOTH, MODEL) == []
    assert list(home.rglob("*")) == []


def test_network_calls_would_be_seen(watched):
    _, run = watched
    assert run("import socket; socket.socket().close()")


@pytest.mark.parametrize("given", [None, "0", "1"])
def test_the_telemetry_of_onnxruntime_is_off_unless_the_user_says_otherwise(given):
    code = "import os, fastner.engine.session; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python(code, ORT_DISABLE_TELEMETRY=given).stdout == f"{given or 1}\n"


def test_nothing_of_the_project_imports_onnxruntime_with_its_telemetry():
    """fastner does in one module, see test_imports.py; here is the rest of it."""
    statement = re.compile(r"^\s*(import [\w ,.]*\bonnxruntime\b|from onnxruntime)", re.MULTILINE)
    package = re.compile(r"[\"']onnxruntime-node[\"'];|import\([\"']onnxruntime-node")
    off = {".py": "ORT_DISABLE_TELEMETRY", ".md": "ORT_DISABLE_TELEMETRY"}
    found = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*"), *ROOT.glob("bench/**/*.py")]:
        if "node_modules" in path.parts or path.suffix not in (".py", ".md", ".mjs", ".html"):
            continue
        text = path.read_text(encoding="utf-8")
        for match in [*statement.finditer(text), *package.finditer(text)]:
            before = text[: match.start()]
            known = off.get(path.suffix, "fastner.mjs"), "/fastner.mjs"
            assert any(word in before for word in known), f"{path}: {match[0]}"
            found.append(path.name)
    assert {"onnx.md", "README.md", "test.mjs", "worker.mjs"} <= set(found)


# ---- forks ---------------------------------------------------------------------------------------

FORKS = """
import os, random, signal, sys, threading, time
import fastner
engine, model, busy, loading, count = *sys.argv[1:3], *map(int, sys.argv[3:])
tagger = fastner.load(model, engine=engine, threads=2)
sentences = [["Angela", "Merkel", "met", "Tim"], ["It", "rained"]] * 20
wanted, doc = tagger.tag_batch(sentences), tagger("Tim left Oslo.", scores=True)
stop = False

def tag():
    while not stop:
        tagger.tag([f"w{random.randrange(10**6)}", "Oslo"])
        tagger.marginals(sentences[:2])

def load():
    while not stop:
        with fastner.load(model, engine=engine) as other:
            other.tag(["Ada"])

threads = [threading.Thread(target=tag) for _ in range(busy)]
threads += [threading.Thread(target=load) for _ in range(loading)]
for thread in threads:
    thread.start()
outcomes = []
try:
    for number in range(count):
        child = os.fork()
        if not child:
            signal.alarm(30)
            status = 1
            try:
                assert tagger.tag_batch(sentences) == wanted
                assert tagger("Tim left Oslo.", scores=True) == doc
                assert len(tagger.tag([f"new{number}", "words"])) == 2
                if loading or number % 4 == 0:
                    with fastner.load(model, engine=engine) as other:
                        assert len(other.tag(["Ada"])) == 1
                tagger.close()
                assert tagger._engine is None
                status = 0
            finally:
                os._exit(status)
        outcomes.append(os.waitpid(child, 0)[1])
finally:
    stop = True
    for thread in threads:
        thread.join()
assert not any(outcomes), outcomes
assert tagger.tag_batch(sentences) == wanted
"""


@forks
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("busy", "loading", "count"),
    [
        pytest.param(0, 0, 30, id="idle"),
        pytest.param(4, 0, 40, id="busy"),
        pytest.param(0, 2, 30, id="loading"),
        pytest.param(3, 1, 30, id="both"),
    ],
)
def test_a_forked_child_tags(engine, busy, loading, count):
    done = python(FORKS, engine, GOLDEN / "bundle-1.3", busy, loading, count, seconds=180)
    assert done.returncode == 0, done.stderr[-3000:]


@forks
@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_may_exit_as_it_likes(engine):
    code = """
import os, signal, sys, fastner
tagger = fastner.load(sys.argv[1], engine=sys.argv[2])
for number in range(20):
    child = os.fork()
    if not child:
        signal.alarm(30)
        if number % 2:
            tagger.tag(["Oslo"])
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    done = python(code, GOLDEN / "bundle-1.3", engine)
    assert done.returncode == 0, done.stderr


@forks
def test_a_child_knows_no_calls_of_threads_that_it_lacks():
    """Nor does it need a lock that they held."""
    code = """
import os, signal, sys, threading, fastner
tagger = fastner.load(sys.argv[1])
inside, leave = threading.Event(), threading.Event()
def call():
    with tagger._in_use(), tagger._lock:
        inside.set()
        leave.wait()
thread = threading.Thread(target=call)
thread.start()
inside.wait()
child = os.fork()
if not child:
    signal.alarm(30)
    assert len(tagger.tag(["Oslo"])) == 1
    tagger.close()
    os._exit(0 if tagger._engine is None else 1)
leave.set()
assert os.waitpid(child, 0)[1] == 0
"""
    done = python(code, GOLDEN / "bundle-1.3")
    assert done.returncode == 0, done.stderr


@forks
@pytest.mark.parametrize("engine", ENGINES)
def test_a_handler_of_a_signal_may_fork_and_tag_during_a_call(engine):
    code = """
import os, random, signal, sys, fastner
tagger = fastner.load(sys.argv[1], engine=sys.argv[2])
children = []
def handler(*_):
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 30)
        tagger.tag(["Oslo"])
        os._exit(0)
    tagger.tag(["Oslo"])
    children.append(child)
    signal.setitimer(signal.ITIMER_REAL, random.random() / 1000 + 1e-6)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001)
while len(children) < 100:
    tagger.tag(["w%d" % len(children), "Oslo"])
signal.signal(signal.SIGALRM, signal.SIG_IGN)
assert not any(os.waitpid(child, 0)[1] for child in children)
"""
    done = python(code, GOLDEN / "bundle-1.3", engine)
    assert done.returncode == 0, done.stderr


@forks
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc")
@pytest.mark.skipif(not os.path.isdir(EMBEDDED), reason="the embedded model is not here")
def test_a_forked_child_shares_the_model():
    code = """
import os, re, sys, fastner
def own():
    with open("/proc/self/smaps_rollup") as file:
        return int(re.search("Private_Dirty: *([0-9]+) kB", file.read())[1]) / 1024
tagger = fastner.load(sys.argv[1], engine="native", threads=1)
before = own()
child = os.fork()
if not child:
    tagger.tag_batch([["Ada", "met", f"w{i}"] for i in range(500)])
    os._exit(0 if own() < before / 3 else 1)  # 18 MB of words, arrays and index are not among it
assert os.waitpid(child, 0)[1] == 0
"""
    done = python(code, MODEL)
    assert done.returncode == 0, done.stderr


@forks
def test_cuda_is_refused_in_a_forked_child():
    code = """
import os, sys, fastner
from fastner.bundle import read_bundle
from fastner.engine import session
from fastner.screen import words_signature
graph = read_bundle(sys.argv[1]).words_onnx
opened = session.open_session(graph, "words.onnx", words_signature())
opened._device = "cuda"  # what can be checked without a GPU
child = os.fork()
if not child:
    try:
        opened.run([], {})
    except fastner.DeviceError as error:
        os._exit(0 if "load the model in the child" in str(error) else 1)
    os._exit(2)
assert os.waitpid(child, 0)[1] == 0
"""
    done = python(code, GOLDEN / "bundle-1.3")
    assert done.returncode == 0, done.stderr


# ---- the interpreter ends ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("threads", "size"), [(1, 1), (2, 2000)])
def test_daemon_threads_may_tag_while_the_interpreter_ends(engine, threads, size):
    code = """
import random, sys, threading, time, fastner
threads, size = map(int, sys.argv[3:])
tagger = fastner.load(sys.argv[1], engine=sys.argv[2], threads=threads)
started = threading.Semaphore(0)
def work():
    while True:
        tagger.tag_batch([[f"w{random.randrange(10**6)}", "Oslo"]] * size)
        started.release()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
for _ in range(8):
    started.acquire()
time.sleep(random.random() / 50)
"""
    for _ in range(6):
        done = python(code, GOLDEN / "bundle-1.3", engine, threads, size)
        assert done.returncode == 0, done.stderr
        assert "terminate" not in done.stderr and "cannot schedule" not in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_other_threads_tag_after_the_main_one_has_ended(engine):
    code = """
import sys, threading, time, fastner
tagger = fastner.load(sys.argv[1], engine=sys.argv[2], threads=2)
def work():
    threading.main_thread().join()
    tags = tagger.tag_batch([["Ada", "moved"]] * 3000)
    print(len(tags), flush=True)
threading.Thread(target=work).start()
"""
    done = python(code, GOLDEN / "bundle-1.3", engine)
    assert (done.returncode, done.stdout) == (0, "3000\n"), done.stderr


def test_what_runs_last_may_still_tag():
    code = """
import atexit, sys
def last():
    print(len(tagger.tag(["Ada", "moved"])))
atexit.register(last)  # before fastner's: runs after it
import fastner
tagger = fastner.load(sys.argv[1], engine="onnxruntime")
"""
    done = python(code, GOLDEN / "bundle-1.3")
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
