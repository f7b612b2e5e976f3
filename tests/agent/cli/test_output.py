"""What commands print alike."""

import pytest

from g2u.cli.output import EVERY, ProgressLines, duration, progress


def test_progress_without_a_terminal_is_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    bars = ProgressLines(disable=True, get_time=lambda: now)
    task = bars.add_task("answers", total=None)

    def told(seconds: float, done: int) -> str:
        nonlocal now
        now = seconds
        bars.update(task, completed=done, total=300)
        return capsys.readouterr().err

    assert told(0, 100) == ""  # those of an earlier run
    assert told(EVERY - 1, 110) == ""
    assert told(EVERY, 120) == "answers: 120 of 300, 40 %, about 90 s left\n".replace("90 s", duration(90))
    assert told(EVERY + 2, 130) == ""
    assert told(2 * EVERY + 2, 300) == "answers: 300 of 300, 100 %, about 0 s left\n"
    assert [duration(seconds) for seconds in (40, 200, 9000)] == ["40 s", "3 min", "2.5 h"]


def test_what_is_done_at_once_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as bars:
        task = bars.add_task("tables", total=3)
        for _ in bars.track(range(3), task_id=task):
            pass
    assert capsys.readouterr().err == ""
