"""Paths, folders and globs become files with keys; what cannot be used is told all at once."""

import os
from pathlib import Path

import pytest

from batch_tasks.errors import InputError
from batch_tasks.inputs import Outputs, find_inputs, not_looked
from batch_tasks.stored_inputs import StoredFile, StoredPlace, stored_place, unsigned


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt", "texts/a.txt", "texts/deep/c.txt", "other/texts/a.txt", "texts/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def keys(*sources: str) -> list[str]:
    return [file.key for file in find_inputs(sources)]


@pytest.mark.usefixtures("folder")
class TestKeys:
    def test_a_file_is_called_by_its_name(self) -> None:
        (file,) = find_inputs(["texts/deep/c.txt"])
        assert (file.key, file.path, file.size) == ("c.txt", "texts/deep/c.txt", 16)

    def test_a_folder_gives_the_paths_below_it_without_hidden_files(self) -> None:
        assert keys("texts") == ["a.txt", "deep/c.txt"]
        assert keys("texts/") == ["a.txt", "deep/c.txt"]

    def test_a_glob_gives_the_paths_below_its_fixed_part(self) -> None:
        assert keys("texts/**/*.txt") == ["a.txt", "deep/c.txt"]
        assert keys("*.txt") == ["a.txt", "b.txt"]
        assert keys("texts/.*") == [".hidden"]

    def test_equal_names_are_widened_by_their_folders_until_they_differ(self) -> None:
        here = Path.cwd().name
        assert keys("a.txt", "texts/a.txt", "b.txt") == [f"{here}/a.txt", "texts/a.txt", "b.txt"]
        assert keys("texts/a.txt", "other/texts/a.txt") == [f"{here}/texts/a.txt", "other/texts/a.txt"]

    def test_a_file_named_twice_counts_once(self) -> None:
        assert keys("a.txt", "./a.txt", "texts/../a.txt", "*.txt") == ["a.txt", "b.txt"]
        Path("link.txt").symlink_to("a.txt")
        assert keys("a.txt", "link.txt") == ["a.txt"]

    def test_order_is_that_of_the_arguments(self) -> None:
        assert keys("b.txt", "a.txt") == ["b.txt", "a.txt"]

    def test_a_name_with_wildcards_in_it_is_first_taken_for_a_name(self) -> None:
        Path("[ab].txt").write_text("x")
        assert keys("[ab].txt") == ["[ab].txt"]

    @pytest.mark.parametrize("name", ["-a", " b ", "new\nline", "#%?.txt", "日本.txt", "\udcff raw", "'\""])
    def test_any_legal_name_is_kept_as_it_is(self, name: str) -> None:
        Path(name).write_text("x")
        assert keys(f"./{name}") == [name]


@pytest.mark.usefixtures("folder")
class TestOutputs:
    def test_files_of_the_output_folder_are_not_taken_from_around_it(self) -> None:
        outputs = Outputs(Path("texts"))
        assert [file.key for file in find_inputs(["."], outputs=outputs)] == [
            "a.txt",
            "b.txt",
            "other/texts/a.txt",
        ]
        assert outputs.left_out == 2
        assert [file.key for file in find_inputs(["**/c.txt", "a.txt"], outputs=Outputs(Path("other")))] == [
            "texts/deep/c.txt",
            "a.txt",
        ]

    @pytest.mark.parametrize("source", ["texts", "texts/**/*.txt", "texts/deep", "texts/deep/c.txt"])
    def test_they_are_where_they_are_asked_for(self, source: str) -> None:
        outputs = Outputs(Path("./texts"))
        assert "c.txt" in [Path(file.key).name for file in find_inputs([source], outputs=outputs)]
        assert outputs.left_out == 0

    @pytest.mark.parametrize("source", ["other", "**/other/texts/*.txt"])
    def test_nothing_but_outputs_is_a_problem(self, source: str) -> None:
        with pytest.raises(InputError, match="those in the output folder do not count"):
            find_inputs([source], outputs=Outputs(Path("other/texts").absolute()))


@pytest.mark.usefixtures("folder")
class TestProblems:
    def test_every_problem_is_in_one_error(self) -> None:
        os.mkfifo("pipe")
        Path("dangling").symlink_to("nowhere")
        Path("empty").mkdir()
        with pytest.raises(InputError) as refused:
            find_inputs(["a.txt", "missing.txt", "*.pdf", "empty", "pipe", "dangling"])
        text = str(refused.value)
        assert len(refused.value.problems) == 5
        for told in (
            "'missing.txt'",
            "'*.pdf'",
            "'empty' holds no files",
            "'pipe' is neither",
            "link to nothing",
        ):
            assert told in text

    def test_nothing_given_is_a_problem(self) -> None:
        with pytest.raises(InputError, match="No input files are given"):
            find_inputs(["", " "])

    def test_many_problems_are_cut_short(self) -> None:
        with pytest.raises(InputError, match="and 10 more"):
            find_inputs([f"missing-{number}" for number in range(30)])

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_what_cannot_be_read_is_refused(self) -> None:
        Path("a.txt").chmod(0)
        with pytest.raises(InputError, match="permission"):
            find_inputs(["a.txt"])


@pytest.mark.usefixtures("folder")
class TestLists:
    def test_a_list_stands_for_its_lines(self) -> None:
        Path("list").write_bytes(b"\xef\xbb\xbfa.txt\r\n\n  \ntexts\nb*.txt\n b \n")
        Path(" b ").touch()
        assert keys("@list") == [f"{Path.cwd().name}/a.txt", "texts/a.txt", "deep/c.txt", "b.txt", " b "]

    def test_a_list_may_hold_names_that_are_no_text(self) -> None:
        Path("\udcff raw").touch()
        Path("list").write_bytes(b"\xff raw\n")
        assert keys("@list") == ["\udcff raw"]

    def test_a_file_that_has_such_a_name_is_meant_itself(self) -> None:
        Path("@list").touch()
        assert keys("@list") == ["@list"]

    def test_lists_that_are_missing_or_empty_are_refused_with_all_else(self) -> None:
        Path("empty").touch()
        with pytest.raises(InputError) as refused:
            find_inputs(["@empty", "@missing", "nothing"])
        assert len(refused.value.problems) == 3
        assert "The list 'empty' of input files is empty" in str(refused.value)
        assert "The list 'missing' of input files cannot be read" in str(refused.value)


@pytest.mark.usefixtures("folder")
class TestUrls:
    def test_what_is_in_storage_stands_beside_what_is_here(self, tmp_path: Path) -> None:
        def look(place: StoredPlace) -> list[StoredFile]:
            return [StoredFile("a.txt", place.blob_url("texts/a.txt"), 5)]

        url = "https://account.blob.core.windows.net/books/texts?sig=secret"
        (tmp_path / "list").write_text(url)
        first, second = find_inputs(["a.txt", f"@{tmp_path / 'list'}"], look)
        assert [first.key, second.key] == [f"{Path.cwd().name}/a.txt", "texts/a.txt"]
        assert second.path == "https://account.blob.core.windows.net/books/texts/a.txt"
        assert second.url == f"{second.path}?sig=secret"
        assert "secret" not in repr(second)

    @pytest.mark.parametrize(
        ("url", "container", "path"),
        [
            ("https://a.blob.core.windows.net/c", "https://a.blob.core.windows.net/c", ""),
            ("https://a.blob.core.windows.net/c/", "https://a.blob.core.windows.net/c", ""),
            ("https://a.blob.core.windows.net/c/d%20e/f", "https://a.blob.core.windows.net/c", "d e/f"),
            ("http://127.0.0.1:10000/acc/c/d/", "http://127.0.0.1:10000/acc/c", "d/"),
            ("http://localhost:10000/acc/c", "http://localhost:10000/acc/c", ""),
            ("HTTPS://a.blob.core.chinacloudapi.cn/c/x", "https://a.blob.core.chinacloudapi.cn/c", "x"),
        ],
    )
    def test_a_url_names_container_and_path(self, url: str, container: str, path: str) -> None:
        place = stored_place(url)
        assert (place.container_url, place.path) == (container, path)

    def test_a_signed_url_is_taken_from_a_list_alone(self) -> None:
        urls = ["https://a.blob.core.windows.net/c?sv=1&SIG=secret", "https://a.blob.core.windows.net/c?sv=1"]
        with pytest.raises(InputError) as refused:
            find_inputs([*urls, "no such file?sig=1"], not_looked)
        signed, missing = refused.value.problems
        assert "'https://a.blob.core.windows.net/c' brings a signature" in signed
        assert "'@list.txt'" in signed
        assert "secret" not in signed
        assert "no such file?sig=1" in missing

    def test_what_people_see_is_not_signed(self) -> None:
        assert (
            unsigned("https://a.blob.core.windows.net/c/x?sig=secret")
            == "https://a.blob.core.windows.net/c/x"
        )
        assert unsigned("what?.txt") == "what?.txt"

    @pytest.mark.parametrize(
        "url", ["https://a.blob.core.windows.net", "https://a.blob.core.windows.net/", "http://127.0.0.1:1/a"]
    )
    def test_a_url_without_a_container_is_refused(self, url: str) -> None:
        with pytest.raises(InputError, match="names no container"):
            find_inputs([url], not_looked)
