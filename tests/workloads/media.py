"""Videos made by ffmpeg's own test sources, and what it says of files."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

needs_ffmpeg = pytest.mark.skipif(
    not shutil.which("ffmpeg"), reason="ffmpeg is not on this machine: apt-get install ffmpeg"
)


def make_video(path: Path, seconds: float = 1.0, *, sound: bool = True) -> None:
    """A small video; a picture that moves, and a tone."""
    picture = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=10:duration={seconds}"]
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if sound else []
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *picture, *tone]
    made = path.with_name("made.mp4")
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(made)], check=True, capture_output=True)
    made.rename(path)


def make_sound(path: Path, sample_rate: int, layout: str) -> None:
    """A second of a tone in this channel layout."""
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration=1:sample_rate={sample_rate}"]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", *tone]
    shaped = ["-filter:a", f"aformat=channel_layouts={layout}", str(path)]
    subprocess.run([*command, *shaped], check=True, capture_output=True)


def durations(*paths: Path) -> list[float]:
    """How many seconds each of some media files plays."""
    inputs = [word for path in paths for word in ("-i", f"file:{path}")]
    # Without an output it tells of its inputs, and fails.
    said = subprocess.run(["ffmpeg", *inputs], check=False, capture_output=True, text=True)
    found = re.findall(r"^  Duration: (\d+):(\d+):([\d.]+)", said.stderr, re.MULTILINE)
    assert len(found) == len(paths), said.stderr
    return [int(hours) * 3600 + int(minutes) * 60 + float(seconds) for hours, minutes, seconds in found]


def truncate(path: Path, share: float) -> None:
    """Cut the end of a file off."""
    os.truncate(path, int(path.stat().st_size * share))
