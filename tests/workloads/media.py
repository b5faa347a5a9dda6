"""Videos made by ffmpeg's own test sources, and what ffprobe says of files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flows.local_stack.programs import shipped

FFMPEG = shutil.which("ffmpeg") or shipped("ffmpeg")
FFPROBE = shutil.which("ffprobe")
needs_ffmpeg = pytest.mark.skipif(
    not (FFMPEG and FFPROBE), reason="ffmpeg and ffprobe are not on this machine: apt-get install ffmpeg"
)


def make_video(path: Path, seconds: float = 1.0, *, sound: bool = True) -> None:
    """A small video; a picture that moves, and a tone."""
    picture = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=10:duration={seconds}"]
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if sound else []
    command = [FFMPEG or "ffmpeg", "-nostdin", "-loglevel", "error", "-y", *picture, *tone]
    made = path.with_name("made.mp4")
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(made)], check=True, capture_output=True)
    made.rename(path)


def make_sound(path: Path, sample_rate: int, layout: str) -> None:
    """A second of a tone in this channel layout."""
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:duration=1:sample_rate={sample_rate}"]
    command = [FFMPEG or "ffmpeg", "-nostdin", "-loglevel", "error", *tone]
    shaped = ["-filter:a", f"aformat=channel_layouts={layout}", str(path)]
    subprocess.run([*command, *shaped], check=True, capture_output=True)


def duration(path: Path) -> float:
    """How many seconds a media file plays."""
    command = [FFPROBE or "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    said = subprocess.run([*command, f"file:{path}"], check=True, capture_output=True, text=True)
    return float(said.stdout)


def truncate(path: Path, share: float) -> None:
    """Cut the end of a file off."""
    os.truncate(path, int(path.stat().st_size * share))
