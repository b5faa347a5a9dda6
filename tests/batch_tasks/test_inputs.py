"""Paths, folders and globs become files with keys; what cannot be used is told all at once."""

import os
from pathlib import Path

import pytest

from batch_tasks.errors import InputError
from batch_tasks.inputs import find_inputs


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
