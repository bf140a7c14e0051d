// The player of a library file: a bar at the bottom of the page, on every tab of the library.

import { useEffect, useRef, useState } from "preact/hooks";
import { type Recording, withParameters } from "./api";
import { CloseIcon, PauseIcon, PlayIcon, SearchIcon } from "./icons";
import { useKeys } from "./keys";
import { clock, titleOf } from "./format";

interface Props {
  recording: Recording;
  startS: number;
  clipS: number;
  onClose: () => void;
  onUse: (recording: Recording) => void;
}

export function Preview({ recording, startS, clipS, onClose, onUse }: Props) {
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [now, setNow] = useState(0);
  const [trouble, setTrouble] = useState(false);
  const length = Math.min(clipS, Math.max(1, recording.duration_s - startS));
  const source = withParameters(`/api/recordings/${recording.id}/sound`, { start_s: startS, length_s: length });
  useEffect(() => {
    setTrouble(false);
    setNow(0);
    void audio.current?.play().catch((error: unknown) => {
      if (!(error instanceof DOMException && error.name === "AbortError")) setPlaying(false);
    });
  }, [source]);
  const toggle = (): void => {
    if (playing) audio.current?.pause();
    else void audio.current?.play();
  };
  useKeys({ " ": toggle, Escape: onClose });
  return (
    <div class="preview" role="region" aria-label="Player">
      <audio
        ref={audio}
        src={source}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onTimeUpdate={(event) => setNow(event.currentTarget.currentTime)}
        onError={() => setTrouble(true)}
      />
      <button type="button" class="play" onClick={toggle} aria-label={playing ? "Pause" : "Play"}>
        {playing ? <PauseIcon /> : <PlayIcon />}
      </button>
      <div class="preview-what">
        <b>{titleOf(recording)}</b>
        {trouble ? (
          <span role="alert">This file could not be played.</span>
        ) : (
          <span class="number">{clock(startS + now)} / {clock(recording.duration_s)}{length < recording.duration_s - startS - 0.5 && `, the first ${clock(length)}`}</span>
        )}
        <progress max={length} value={Math.min(now, length)} aria-label="Position" />
      </div>
      <button type="button" onClick={() => onUse(recording)}><SearchIcon /><span>Use as query</span></button>
      <button type="button" class="icon" onClick={onClose} aria-label="Close the player"><CloseIcon /></button>
    </div>
  );
}
