// Drawing of the piano roll and the rulers for the visible part of the axis.

import type { Note } from "./api";
import { colour } from "./theme";
import { inFile, onAxis, rulerStep, type Side } from "./timing";
import { clock, pitchName } from "./format";

export interface View {
  /** Seconds of the axis at the left edge, and pixels per second. */
  start: number;
  scale: number;
  width: number;
  height: number;
}

const BLACK = new Set([1, 3, 6, 8, 10]);
const LEAST_PITCHES = 24;

/** Lowest and highest pitch shown: the range of the notes with a margin, at least two octaves. */
export function pitchRange(notes: Note[]): [number, number] {
  if (!notes.length) return [48, 72];
  let low = 127;
  let high = 0;
  for (const [, , pitch] of notes) {
    low = Math.min(low, pitch);
    high = Math.max(high, pitch);
  }
  const missing = Math.max(2, LEAST_PITCHES - (high - low));
  return [Math.max(0, low - Math.ceil(missing / 2)), Math.min(127, high + Math.ceil(missing / 2))];
}

export function drawRoll(c: CanvasRenderingContext2D, view: View, side: Side, notes: Note[], nowS: number | null): void {
  const [low, high] = pitchRange(notes);
  const row = view.height / (high - low + 1);
  const top = (pitch: number): number => (high - pitch) * row;
  c.fillStyle = colour("lane");
  c.fillRect(0, 0, view.width, view.height);
  c.fillStyle = colour("lane-black-key");
  for (let pitch = low; pitch <= high; pitch++) {
    if (BLACK.has(pitch % 12)) c.fillRect(0, top(pitch), view.width, row);
  }
  c.fillStyle = colour("lane-line");
  for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
    c.fillRect(0, Math.round(top(pitch) + row) - 0.5, view.width, 1);
  }
  const [from, to] = side.match;
  const [strong, lit] = [colour(`${side.role}-note`), colour("note-lit")];
  for (const [onset, duration, pitch, velocity] of notes) {
    const x = (onAxis(side, onset) - view.start) * view.scale;
    const width = Math.max(2, (duration / side.rate) * view.scale - 1);
    if (x + width < 0 || x > view.width) continue;
    const inside = onset >= from - 0.05 && onset < to;
    const sounding = nowS !== null && onset <= nowS && nowS < onset + Math.max(duration, 0.08);
    c.globalAlpha = inside ? 0.55 + 0.45 * Math.min(1, velocity / 110) : 0.4;
    c.fillStyle = sounding ? lit : strong;
    if (sounding) c.globalAlpha = 1;
    c.beginPath();
    c.roundRect(x, top(pitch) + 0.5, width, Math.max(2, row - 1), Math.min(2.5, row / 2.5));
    c.fill();
  }
  c.globalAlpha = 1;
  drawPitchNames(c, low, high, top, row);
}

function drawPitchNames(
  c: CanvasRenderingContext2D,
  low: number,
  high: number,
  top: (pitch: number) => number,
  row: number,
): void {
  c.font = `10px ${colour("font-ui") || "system-ui"}`;
  c.textBaseline = "middle";
  for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
    const y = top(pitch) + row / 2;
    if (y < 7) continue;
    c.fillStyle = colour("chip");
    c.beginPath();
    c.roundRect(2, y - 7, 22, 14, 3);
    c.fill();
    c.fillStyle = colour("ink-soft");
    c.fillText(pitchName(pitch), 5, y + 0.5);
  }
}

/** Draws marks at round seconds of the side's file. */
export function drawRuler(c: CanvasRenderingContext2D, view: View, side: Side, above: boolean): void {
  const step = rulerStep(view.scale / side.rate, 64);
  const first = inFile(side, Math.max(view.start, side.at));
  const last = Math.min(inFile(side, view.start + view.width / view.scale), side.from + side.length);
  c.font = `11px ${colour("font-ui") || "system-ui"}`;
  c.textBaseline = above ? "top" : "bottom";
  c.strokeStyle = colour("rule-strong");
  c.lineWidth = 1;
  for (let n = Math.ceil(first / step); n * step <= last; n++) {
    const x = Math.round((onAxis(side, n * step) - view.start) * view.scale) + 0.5;
    c.beginPath();
    c.moveTo(x, above ? view.height : 0);
    c.lineTo(x, above ? view.height - 6 : 6);
    c.stroke();
    c.fillStyle = colour("ink-soft");
    c.fillText(clock(n * step, step < 1), x + 4, above ? 3 : view.height - 3);
  }
}
