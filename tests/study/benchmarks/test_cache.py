"""Where files of benchmarks are, and what is fetched."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from g2u.errors import BenchmarkError
from g2u.pictures.store import ImageStore
from g2u.study.benchmarks import catalogue
from g2u.study.benchmarks.cache import benchmark_file, fetch, found_file
from g2u.study.benchmarks.catalogue import Benchmark, Version
from g2u.study.benchmarks.sources import open_source, parts_of
from g2u.study.grid.arms import Items
from g2u.study.grid.items import make_items
from tests.study.benchmarks.made import row, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("G2U_BENCHMARKS", str(tmp_path / "ours"))
    monkeypatch.setenv("LMUData", str(tmp_path / "kit"))
    return tmp_path


@pytest.fixture
def served(folder: Path) -> Iterator[Benchmark]:
    """A benchmark that a server has, which notes how often it was asked in the benchmark's note."""
    data = write(folder / "served.tsv", [row(1), row(2)]).read_bytes()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/Some.tsv"
            self.send_response(200 if found else 404)
            self.send_header("content-length", str(len(data) if found else 0))
            self.end_headers()
            self.wfile.write(data if found else b"")

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    version = Version(md5=hashlib.md5(data).hexdigest(), what="of today")
    yield Benchmark(name="Some", url=f"http://127.0.0.1:{server.server_port}/Some.tsv", versions=(version,))
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_missing_file_is_named_with_its_address_and_sum_and_not_fetched(folder: Path) -> None:
    with pytest.raises(BenchmarkError) as raised:
        open_source("MMStar")
    told = str(raised.value)
    for part in ("MMStar.tsv", "VLMEval/MMStar.tsv", "e1ecd2140806c1b1bbf54b43372efb9e", str(folder / "ours"), "kit"):
        assert part in told
    assert "`g2u bench check MMStar --download`" in told
    assert not (folder / "ours").exists() and not (folder / "kit").exists()
    with pytest.raises(BenchmarkError, match=r"VisThink are not public.*VisThink-substitute"):
        open_source("VisThink")
    with pytest.raises(BenchmarkError, match=r"Nobody has published KiVA.tsv.*github.com/ey242/KiVA"):
        open_source("KiVA")


def test_a_suite_stands_for_its_parts(folder: Path) -> None:
    assert parts_of(["MMStar", "VisThink-substitute"]) == ["MMStar", "R-Bench-Dis", "HallusionBench", "BLINK", "MMVP"]
    with pytest.raises(BenchmarkError, match="The benchmark R-Bench-Dis is not here"):
        make_items(Items(source="VisThink-substitute"), ImageStore(folder / "store"))


def test_fetching(folder: Path, served: Benchmark) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(served, lambda done, total: seen.append((done, total)))
    assert path == folder / "ours" / "Some.tsv" and seen[-1][0] == seen[-1][1] == path.stat().st_size
    assert benchmark_file(served) == (path, served.versions[0])
    kept = path.stat()
    assert fetch(served) == path and path.stat().st_mtime_ns == kept.st_mtime_ns  # it is there already
    path.write_bytes(b"cut off")
    with pytest.raises(BenchmarkError, match=f"has the MD5 sum .*; expected {served.versions[0].md5} .of today."):
        benchmark_file(served)
    assert fetch(served).stat().st_size == kept.st_size


def test_what_is_fetched_is_checked_before_it_is_kept(folder: Path, served: Benchmark) -> None:
    other = served.model_copy(update={"versions": (Version(md5="0" * 32, what="another one"),)})
    with pytest.raises(BenchmarkError, match=r"Some.tsv has the MD5 sum .*; expected 0{32} .another one") as raised:
        fetch(other)
    assert str(folder) not in str(raised.value) and "Nothing was kept" in str(raised.value)
    gone = served.model_copy(update={"url": served.url.replace("Some", "None")})
    with pytest.raises(BenchmarkError, match=r"was not got: .*404"):
        fetch(gone)
    assert list((folder / "ours").iterdir()) == []


def test_the_folder_of_the_kit_is_looked_at_and_left_alone(
    folder: Path, served: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "kit").mkdir()
    (folder / "served.tsv").rename(folder / "kit" / "Some.tsv")
    monkeypatch.setattr(catalogue, "benchmarks", lambda: {"Some": served})
    monkeypatch.setattr("g2u.study.benchmarks.sources.get_benchmark", lambda name: served)
    opened = open_source("Some")
    assert opened.path == found_file(served) == folder / "kit" / "Some.tsv"
    assert fetch(served) == opened.path  # which is here already
    assert opened.version == served.versions[0] and [one.index for one in opened.reader.rows()] == ["1", "2"]
    assert not (folder / "ours").exists()
