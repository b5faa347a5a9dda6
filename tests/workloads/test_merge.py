"""The words of all files together: exactly those of one count over all, and honest about what lacks."""

import json
import random
from collections import Counter
from pathlib import Path
from string import punctuation

import pytest

from batch_tasks.errors import InputError
from batch_tasks.inputs import InputFile
from batch_tasks.options import RunOptions
from batch_tasks.plan import parts_list, plan_problems, plan_tasks
from batch_tasks.settings import Account
from batch_tasks.unfinished import TasksFailed
from flows.pipeline import plan_run
from flows.top_n_words import top_n_words, top_n_words_workload


def words_of(text: str) -> list[str]:
    return [word for raw in text.split() if (word := raw.strip(punctuation))]


def write_texts(folder: Path, number: int) -> Counter[str]:
    """So many texts, and the words of all of them counted one after the other."""
    folder.mkdir()
    choose = random.Random(4)  # the same texts each time
    total: Counter[str] = Counter()
    vocabulary = [f"wörd{index}" for index in range(300)]
    for index in range(number):
        text = " ".join(f"{word}," for word in choose.choices(vocabulary, k=80))
        (folder / f"{index:03}.txt").write_text(text)
        total.update(words_of(text))
    return total


def lines_of(total: Counter[str], n: int) -> str:
    return "".join(f"{word}:\t{count}\n" for word, count in total.most_common(n))


def test_the_merge_of_200_texts_is_one_counter_over_all(on_account: Account, tmp_path: Path) -> None:
    total = write_texts(tmp_path / "in", 200)
    report = top_n_words(
        [str(tmp_path / "in")], n=100, merge=True, output_dir=str(tmp_path / "out"), files_per_task=10
    )
    assert len(report.succeeded) == 200
    assert report.merged is not None
    assert report.merged.state == "succeeded"
    text = (tmp_path / "out" / "TOP_WORDS.txt").read_text()
    assert f"\n{lines_of(total, 100)}----" in text
    assert "Files: 200 of 200\n" in text
    assert {path.name for path in (tmp_path / "out").glob("*counts*")} == set()
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["merge"]["outputs"][0]["path"] == "TOP_WORDS.txt"


@pytest.mark.parametrize("files_per_task", [1, 3])
def test_with_a_failed_file_the_merge_says_what_it_lacks(
    on_account: Account, tmp_path: Path, files_per_task: int
) -> None:
    total = write_texts(tmp_path / "in", 4)
    (tmp_path / "in" / "binary.txt").write_bytes(b"a\0b")
    (tmp_path / "in" / "empty.txt").touch()
    with pytest.raises(TasksFailed) as failed:
        top_n_words(
            [str(tmp_path / "in")],
            merge=True,
            output_dir=str(tmp_path / "out"),
            files_per_task=files_per_task,
        )
    report = failed.value.report
    assert {file.key for file in report.failed} == {"binary.txt", "empty.txt"}
    assert str(failed.value).startswith("2 of 6 files failed.")
    text = (tmp_path / "out" / "TOP_WORDS.txt").read_text()
    assert lines_of(total, 3) in text
    assert "Files: 4 of 6\nLacks: 'binary.txt'\nLacks: 'empty.txt'\n" in text


def test_when_every_file_failed_so_does_the_merge(on_account: Account, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.txt").touch()
    with pytest.raises(TasksFailed) as failed:
        top_n_words([str(tmp_path / "in")], merge=True, output_dir=str(tmp_path / "out"))
    assert [file.key for file in failed.value.report.failed] == ["empty.txt", "merge"]
    assert str(failed.value).startswith("1 of 1 files failed.\nThe merge of their outputs failed.")


def inputs(*keys: str) -> list[InputFile]:
    return [InputFile(f"/in/{key}", key, 1) for key in keys]


def test_the_merge_comes_last_waits_for_all_and_reads_every_part() -> None:
    tasks = plan_tasks(top_n_words_workload(3, merge=True), inputs("a.txt", "b/a.txt", "merge"), 2)
    merge = tasks[-1]
    assert merge.after == tuple(task.task_id for task in tasks[:2])
    assert [file.input.key for file in merge.files] == ["merge-2"]
    assert [output.path for output in merge.files[0].outputs] == ["TOP_WORDS.txt"]
    listed = json.loads(parts_list(tasks))
    assert [entry["file"] for entry in listed] == ["a.txt", "b/a.txt", "merge"]
    assert len({entry["part"] for entry in listed}) == 3


def test_an_output_of_a_file_and_that_of_the_merge_keep_out_of_each_others_way() -> None:
    workload = top_n_words_workload(3, merge=True)
    tasks = plan_tasks(workload, inputs("TOP_WORDS.txt/a.txt"))
    paths = [output.path for task in tasks for file in task.files for output in file.outputs if output.path]
    assert paths == ["TOP_WORDS.txt/a.txt.outputs/a_OUTPUT.txt", "merge.outputs/TOP_WORDS.txt"]


def test_more_tasks_than_a_merge_can_wait_for_are_refused_with_the_number_that_works(tmp_path: Path) -> None:
    workload = top_n_words_workload(3, merge=True)
    many = inputs(*(f"{'long name ' * 4}{number}.txt" for number in range(2_000)))
    (problem,) = plan_problems(plan_tasks(workload, many), workload)
    assert "cannot wait for 2000 tasks" in problem
    assert problem.endswith("set files_per_task to 2.")
    assert plan_problems(plan_tasks(workload, many, files_per_task=2), workload) == []


def test_a_merge_may_not_write_over_an_input(tmp_path: Path) -> None:
    (tmp_path / "TOP_WORDS.txt").write_text("words")
    with pytest.raises(InputError, match="would replace an input"):
        plan_run(top_n_words_workload(3, merge=True), [str(tmp_path)], RunOptions(output_dir=str(tmp_path)))
