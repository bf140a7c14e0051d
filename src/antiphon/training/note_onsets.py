"""Training of the network of note onsets on rendered recordings, through random recording chains.

    python -m antiphon.training.note_onsets train-fluidr3 train-salamander instruments --out weights.safetensors

Corpora are folders of sound files with a MIDI file next to each, as `antiphon render` writes them. `--instruments FONT`
first renders such a folder, in which every recording has one General MIDI instrument.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from antiphon.augmentation.sound import SoundAugmentation, augment_sound
from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import (
    FRAME_HZ,
    KEYS,
    LOWEST_KEY,
    SAMPLE_RATE_HZ,
    TARGET_FRAMES,
    OnsetNetwork,
    log_frequency_magnitudes,
)
from antiphon.progress import track
from antiphon.rendering.fluidsynth import FluidSynthPiano

_SEGMENT_S = 2.0
_FRAMES = round(_SEGMENT_S * FRAME_HZ) + 1
_BATCH = 8
_RATE, _WARMUP, _FINAL = 2.5e-3, 100, 0.01
_SOUNDING = 0.3  # weight of the second output, which helps the first one to learn
_DETUNED, _CENTS = 0.5, 40.0
_BEGIN = -4.0, -2.0  # log odds: onsets and sounding keys are rare
_CHAIN = SoundAugmentation(clean=0.15)
_STRUCK = range(32)  # programs whose notes the pedal may hold
_BELLS = (9, 10, 14, 47, 55)  # their pitch is not the one of their note
_PROGRAMS = [
    *(program for program in range(104) if program not in _BELLS),
    *list(range(8)) * 2,
    *(24, 25) * 2,
]  # pianos and guitars three times


def targets(notes: Notes, begin_s: float, speed: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Onset and sounding [88, 201] of the notes in two seconds from `begin_s`, played `speed` times as fast."""
    onset, sounding = np.zeros((KEYS, _FRAMES), np.float32), np.zeros((KEYS, _FRAMES), np.float32)
    begins, ends = ((times - begin_s) / speed * FRAME_HZ for times in (notes.onset_s, notes.offset_s))
    keys = notes.pitch.astype(np.int64) - LOWEST_KEY
    near = (begins < _FRAMES + TARGET_FRAMES) & (ends > -TARGET_FRAMES) & (keys >= 0) & (keys < KEYS)
    for key, begin, end in zip(keys[near].tolist(), begins[near].tolist(), ends[near].tolist(), strict=True):
        sounding[key, max(0, round(begin)) : max(0, int(end) + 1)] = 1.0
        first = max(0, math.ceil(begin - TARGET_FRAMES))
        frames = np.arange(first, min(_FRAMES, math.floor(begin + TARGET_FRAMES) + 1))
        height = (1 - np.abs(frames - begin) / TARGET_FRAMES).astype(np.float32)
        onset[key, frames] = np.maximum(onset[key, frames], height)
    return onset, sounding


def draw_batch(corpora: Sequence[Corpus], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Sound [B, S] through random recording chains, and its targets [B, 2, 88, frames]. All corpora weigh the same."""
    sounds: list[NDArray[np.float32]] = []
    wanted: list[NDArray[np.float32]] = []
    while len(sounds) < _BATCH:
        corpus = corpora[int(rng.integers(len(corpora)))]
        one: Recording = corpus.recordings[int(rng.integers(len(corpus)))]
        speed = 2 ** (rng.uniform(-_CENTS, _CENTS) / 1200) if rng.uniform() < _DETUNED else 1.0
        needed_s = _SEGMENT_S * speed + 0.1
        if one.audio_path is None or one.duration_s <= needed_s:
            continue
        begin_s = math.floor(rng.uniform(0.0, one.duration_s - needed_s) * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        samples = read_samples(one.audio_path, SAMPLE_RATE_HZ, begin_s, needed_s)
        at = np.arange(round(_SEGMENT_S * SAMPLE_RATE_HZ)) * speed
        sounds.append(np.interp(at, np.arange(len(samples)), samples).astype(np.float32))
        wanted.append(np.stack(targets(read_notes(one.notes_path, sustain=True), begin_s, speed)))
    sound = augment_sound(torch.from_numpy(np.stack(sounds)), _CHAIN, rng, SAMPLE_RATE_HZ)
    return sound, torch.from_numpy(np.stack(wanted))


def loss_of(odds: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of onset and sounding, each summed over keys and averaged over frames."""
    onset, sounding = (F.binary_cross_entropy_with_logits(odds[:, row], wanted[:, row]) * KEYS for row in (0, 1))
    return onset + _SOUNDING * sounding


def train_onsets(corpora: Sequence[Corpus], steps: int, seed: int, start: Path | None = None) -> OnsetNetwork:
    """Train a network, from random weights or from those in `start`; the rate falls along a cosine."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = OnsetNetwork()
    if start is not None:
        network.load_state_dict(safetensors.torch.load_file(start))
    else:
        with torch.no_grad():
            assert network.head.bias is not None
            network.head.bias.copy_(torch.tensor(_BEGIN))
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-4)
    for step in track(range(steps), "training"):
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, step / _WARMUP) * (cosine + _FINAL)
        sound, wanted = draw_batch(corpora, rng)
        loss = loss_of(network(log_frequency_magnitudes(sound)), wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
    return network.eval()


def render_instruments(folder: Path, soundfont: str, corpus: Corpus, count: int, seed: int) -> None:
    """Render 30-s parts of a corpus's notes, each with one instrument of a SoundFont, into a folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in track(range(count), "rendering"):
        one = corpus.recordings[int(rng.integers(len(corpus)))]
        program = int(rng.choice(_PROGRAMS))
        notes = read_notes(one.notes_path, sustain=program in _STRUCK)
        begin_s = rng.uniform(0.0, max(1.0, notes.end_s - 40.0))
        part = notes.within(begin_s, begin_s + 29.0)
        part = Notes.of(part.onset_s - begin_s + 0.3, part.duration_s, part.pitch, part.velocity)
        if not len(part):
            continue
        name = folder / f"{number:03d}-{program:03d}"
        samples = FluidSynthPiano(soundfont, SAMPLE_RATE_HZ, program).render(part, 30.0)
        soundfile.write(name.with_suffix(".flac"), samples, SAMPLE_RATE_HZ)
        part.save(name.with_suffix(".mid"))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="weights, or the folder of --instruments")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--instruments", metavar="FONT", help="render a folder of instruments instead")
    parser.add_argument("--count", type=int, default=260, help="of recordings with --instruments")
    options = parser.parse_args()
    corpora = [open_corpus(name) for name in options.corpora]
    if options.instruments:
        render_instruments(options.out, options.instruments, corpora[0], options.count, options.seed)
    else:
        network = train_onsets(corpora, options.steps, options.seed, options.start)
        safetensors.torch.save_file(network.state_dict(), options.out)


if __name__ == "__main__":
    main()
