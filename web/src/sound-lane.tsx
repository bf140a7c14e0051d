// Audio on the axis: waveform and optional spectrogram, drawn by wavesurfer.js.

import { useEffect, useRef } from "preact/hooks";
import WaveSurfer from "wavesurfer.js/dist/wavesurfer.js";
import Spectrogram from "wavesurfer.js/plugins/spectrogram";
import { colour, mix, type Theme } from "./theme";
import type { Side } from "./timing";

export const PICTURE_RATE_HZ = 12_000;
const WAVE_WITH_SPECTROGRAM_PX = 44;

// The style sheet that wavesurfer.js would add inline (see build.mjs).
const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
  :host { user-select: none; min-width: 1px; }
  .scroll { overflow: hidden; width: 100%; position: relative; }
  .wrapper { position: relative; overflow: visible; z-index: 2; }
  .canvases { pointer-events: none; }
  .canvases > div { position: relative; }
  canvas { display: block; position: absolute; top: 0; }
  .progress { pointer-events: none; position: absolute; z-index: 2; top: 0; left: 0; width: 0; height: 100%; overflow: hidden; }
  .progress > div { position: relative; }
  .cursor { display: none; }
  audio { display: none; }
`);

/** Colours from quiet, the lane's background, to loud, the side's colour. */
function colourMap(role: Side["role"]): number[][] {
  const [ground, middle, loud] = [colour("lane"), colour(`${role}-wave`), colour(`${role}-loud`)];
  return Array.from({ length: 256 }, (_, n) => {
    const level = Math.max(0, n / 255 - 0.12) / 0.88;
    const rgb = level < 0.6 ? mix(ground, middle, level / 0.6) : mix(middle, loud, (level - 0.6) / 0.4);
    return [...rgb.map((value) => value / 255), 1];
  });
}

interface Props {
  side: Side;
  samples: Float32Array;
  spectrogram: boolean;
  height: number;
  theme: Theme;
}

export function SoundLane({ side, samples, spectrogram, height, theme }: Props) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const container = box.current;
    if (!container) return undefined;
    const waveHeight = spectrogram ? WAVE_WITH_SPECTROGRAM_PX : height;
    const picture = WaveSurfer.create({
      container,
      height: waveHeight,
      waveColor: colour(`${side.role}-wave`),
      progressColor: colour(`${side.role}-wave`),
      cursorWidth: 0,
      interact: false,
      hideScrollbar: true,
      autoScroll: false,
      normalize: true,
      plugins: spectrogram
        ? [
            Spectrogram.create({
              height: height - waveHeight,
              fftSamples: 1024,
              fftSize: 2048,
              frequencyMin: 27.5,
              frequencyMax: 5000,
              scale: "mel",
              autoGain: true,
              rangeDB: 62,
              colorMap: colourMap(side.role),
            }),
          ]
        : [],
    });
    const shadow = picture.getWrapper().getRootNode();
    if (shadow instanceof ShadowRoot) {
      shadow.adoptedStyleSheets = [SHEET];
      // The page plays the audio itself; the empty media element is hidden from assistive technology.
      shadow.querySelector("audio")?.setAttribute("aria-hidden", "true");
      const canvases = shadow.querySelector<HTMLElement>(".canvases");
      if (canvases) canvases.style.minHeight = `${waveHeight}px`;
    }
    void picture.load("", [samples], samples.length / PICTURE_RATE_HZ);
    return () => picture.destroy();
  }, [samples, spectrogram, height, theme, side.role]);
  return <div ref={box} class="sound-picture" />;
}

