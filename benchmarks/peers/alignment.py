"""Other methods that align notes with a recording, in a process that `benchmarks.alignment` starts and sends requests.

python -m benchmarks.peers.alignment synctoolbox|parangonar|parangonar-notes

A line of standard input is a request: recording, performed (a MIDI file of what the recording plays, or null), and the
columns of the notes. A line of standard output is the reply: `recording_s`, null where a note was not found, and the
CPU seconds it took, decoding of the recording included; or `error`. The environment needs
benchmarks/peers/requirements-alignment.txt and not the package itself.

* synctoolbox: its example of audio with a score (`sync_audio_score_full`): chroma and DLNCO, multi-scale DTW, 50 Hz.
  Source: Müller, Özer, Krause, Prätzlich and Driedger, JOSS 6(64), 2021.
* parangonar: `AudioToScoreMatcher` with its defaults, 50 Hz.
* parangonar-notes: `DualDTWNoteMatcher`, which gets the performed notes themselves in place of the recording, and so
  shows what a perfect transcription would give. Source: Peter, "Online symbolic music alignment with offline
  reinforcement learning" (ISMIR 2023).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RATE_HZ, _FEATURES_HZ = 22_050, 50
_LOWEST, _HIGHEST = 21, 108
Request = Mapping[str, Any]
Seconds = NDArray[np.float64]


def main() -> None:
    """Answer requests until standard input ends."""
    if len(sys.argv) != 2 or sys.argv[1] not in METHODS:
        sys.exit(f"usage: python -m benchmarks.peers.alignment {'|'.join(METHODS)}")
    method = METHODS[sys.argv[1]]
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        for line in sys.stdin:
            began = time.process_time()
            try:
                times = method(json.loads(line))
                reply: dict[str, Any] = {"recording_s": [None if value != value else value for value in times.tolist()]}
            except Exception as error:  # a case that a peer cannot do must not end the others
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply | {"seconds": time.process_time() - began}), file=answers, flush=True)


def synctoolbox(request: Request) -> Seconds:
    """Times by multi-scale DTW over quantised chroma and decaying onsets."""
    from scipy.interpolate import interp1d
    from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw
    from synctoolbox.dtw.utils import make_path_strictly_monotonic
    from synctoolbox.feature.chroma import pitch_to_chroma, quantize_chroma
    from synctoolbox.feature.csv_tools import df_to_pitch_features, df_to_pitch_onset_features
    from synctoolbox.feature.dlnco import pitch_onset_features_to_DLNCO
    from synctoolbox.feature.pitch import audio_to_pitch_features
    from synctoolbox.feature.pitch_onset import audio_to_pitch_onset_features
    from synctoolbox.feature.utils import estimate_tuning

    sound = _sound(request)
    cents = estimate_tuning(sound, _RATE_HZ)
    table = _table(request)

    def features(pitch: Any, onsets: Any) -> tuple[Any, Any]:
        chroma = quantize_chroma(f_chroma=pitch_to_chroma(f_pitch=pitch))
        length = chroma.shape[1]
        return chroma, pitch_onset_features_to_DLNCO(onsets, feature_rate=_FEATURES_HZ, feature_sequence_length=length)

    sounding = features(
        audio_to_pitch_features(sound, Fs=_RATE_HZ, tuning_offset=cents, feature_rate=_FEATURES_HZ),
        audio_to_pitch_onset_features(sound, Fs=_RATE_HZ, tuning_offset=cents),
    )
    written = features(df_to_pitch_features(table, feature_rate=_FEATURES_HZ), df_to_pitch_onset_features(table))
    path = sync_via_mrmsdtw(
        f_chroma1=sounding[0],
        f_onset1=sounding[1],
        f_chroma2=written[0],
        f_onset2=written[1],
        input_feature_rate=_FEATURES_HZ,
        step_weights=np.array([1.5, 1.5, 2.0]),
        threshold_rec=10**6,
    )
    sounding_s, written_s = make_path_strictly_monotonic(path) / _FEATURES_HZ
    times = interp1d(written_s, sounding_s, kind="linear", fill_value="extrapolate")
    return np.asarray(times(np.array(request["onset_s"])))


def parangonar(request: Request) -> Seconds:
    """Times by elastic dynamic programming over a filter bank's onsets."""
    from parangonar import AudioToScoreMatcher

    found = AudioToScoreMatcher()(_sound(request), _notes_array(request), sample_rate=_RATE_HZ)
    times = np.full(len(request["onset_s"]), np.nan)
    for one in found:
        times[int(one["score_id"])] = one["performance_time"]
    return times


def parangonar_notes(request: Request) -> Seconds:
    """Times of the performed notes that a symbolic matcher assigns to the notes of the score."""
    import partitura
    from parangonar import DualDTWNoteMatcher

    performed = partitura.load_performance_midi(request["performed"]).note_array()
    onset_s = dict(zip(performed["id"], performed["onset_sec"].astype(float), strict=True))
    times = np.full(len(request["onset_s"]), np.nan)
    for one in DualDTWNoteMatcher()(_notes_array(request), performed):
        if one["label"] == "match":
            times[int(one["score_id"])] = onset_s[one["performance_id"]]
    return times


METHODS: dict[str, Callable[[Request], Seconds]] = {
    "synctoolbox": synctoolbox,
    "parangonar": parangonar,
    "parangonar-notes": parangonar_notes,
}


def _sound(request: Request) -> Any:
    import librosa

    return librosa.load(request["recording"], sr=_RATE_HZ, res_type="soxr_hq")[0]


def _table(request: Request) -> Any:
    """The notes on the piano as synctoolbox's table."""
    import pandas

    columns = {
        "start": request["onset_s"],
        "duration": request["duration_s"],
        "pitch": request["pitch"],
        "velocity": request["velocity"],
    }
    table = pandas.DataFrame(columns).assign(instrument="piano")
    return table[table["pitch"].between(_LOWEST, _HIGHEST)]


def _notes_array(request: Request) -> Any:
    """The notes on the piano as partitura's structured array; the id of a note is its number in the request."""
    fields = [("onset_beat", "f8"), ("duration_beat", "f8"), ("pitch", "i4"), ("id", "U16"), ("is_grace", "?")]
    rows = [
        (onset, duration, pitch, str(number), False)
        for number, (onset, duration, pitch) in enumerate(
            zip(request["onset_beat"], request["duration_beat"], request["pitch"], strict=True)
        )
        if _LOWEST <= pitch <= _HIGHEST
    ]
    return np.array(rows, dtype=fields)


if __name__ == "__main__":
    main()
