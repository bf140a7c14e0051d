"""General MIDI's percussion: the names of its keys, and whether what is played on its channel is percussion at all."""

from __future__ import annotations

import numpy as np

from antiphon.io.notes import Notes

_FIRST_KEY = 27
_NAMES = """high Q, slap, scratch push, scratch pull, sticks, square click, metronome click, metronome bell,
acoustic bass drum, bass drum 1, side stick, acoustic snare, hand clap, electric snare, low floor tom, closed hi-hat,
high floor tom, pedal hi-hat, low tom, open hi-hat, low-mid tom, hi-mid tom, crash cymbal 1, high tom, ride cymbal 1,
Chinese cymbal, ride bell, tambourine, splash cymbal, cowbell, crash cymbal 2, vibraslap, ride cymbal 2, hi bongo,
low bongo, mute hi conga, open hi conga, low conga, high timbale, low timbale, high agogo, low agogo, cabasa, maracas,
short whistle, long whistle, short guiro, long guiro, claves, hi wood block, low wood block, mute cuica, open cuica,
mute triangle, open triangle, shaker, jingle bell, belltree, castanets, mute surdo, open surdo"""
_DRUM_NAMES = [name.strip() for name in _NAMES.split(",")]
_KIT = [35, 36, 37, 38, 39, 40, 42, 44, 46, 49, 51, 53, 54, 55, 57, 59]


def drum_name(key: int) -> str | None:
    """The percussion instrument of a MIDI key on the channel of drums (General MIDI 2).

    Parameters
    ----------
    key
        The MIDI number of the key: a pitch of `Notes.drums`.

    Returns
    -------
    str or None
        The instrument's name, None for keys without one (below 27 and above 87).

    Examples
    --------
    >>> import antiphon
    >>> antiphon.drum_name(36), antiphon.drum_name(42), antiphon.drum_name(100)
    ('bass drum 1', 'closed hi-hat', None)
    """
    return _DRUM_NAMES[key - _FIRST_KEY] if 0 <= key - _FIRST_KEY < len(_DRUM_NAMES) else None


def looks_pitched(strokes: Notes) -> bool:
    """Whether what is played on the channel of drums is music for a pitched instrument that was sent there by mistake.

    A drum kit strikes a few of its keys most of the time, and bass drum, snare, hi-hats and cymbals above all. Of 108
    drum tracks of games for General MIDI none looks pitched, of 324 pieces of piano, voice, strings and orchestra 323
    do.

    >>> scale, beat = np.arange(48, 73), np.tile([36, 42, 38, 42], 8)
    >>> [looks_pitched(Notes.of(np.arange(len(p)), np.ones(len(p)), p, np.full(len(p), 80))) for p in (scale, beat)]
    [True, False]
    """
    if len(strokes) == 0:
        return False
    times_struck = np.bincount(strokes.pitch, minlength=128) / len(strokes)
    outside = times_struck[:_FIRST_KEY].sum() + times_struck[_FIRST_KEY + len(_DRUM_NAMES) :].sum()
    most_struck = np.sort(times_struck)[-3:].sum()
    is_spread = np.count_nonzero(times_struck) >= 8 and most_struck <= 0.4 and times_struck[_KIT].sum() <= 0.5
    return bool(outside > 0.02 or is_spread)
