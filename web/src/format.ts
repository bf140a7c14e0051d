// Formatting of numbers and names for display.

import type { Recording } from "./api";

/** 83.4 → "1:23", with tenths on request: "1:23.4". */
export function clock(seconds: number, tenths = false): string {
  const sign = seconds < 0 ? "−" : "";
  const units = Math.round(Math.abs(seconds) * (tenths ? 10 : 1));
  const whole = tenths ? Math.floor(units / 10) : units;
  const minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, "0");
  const hours = Math.floor(minutes / 60);
  const head = hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}` : String(minutes);
  return `${sign}${head}:${rest}${tenths ? `.${units % 10}` : ""}`;
}

export const percent = (part: number): string => `${Math.round(part * 100)} %`;

/** A confidence in percent, never rounded up to 100 % or down to 0 %. */
export function formatConfidence(confidence: number): string {
  if (confidence > 0.99) return "> 99 %";
  return confidence < 0.01 ? "< 1 %" : percent(confidence);
}

/** A message of the server as a sentence. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

export function bytes(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  if (count >= 1e6) return `${Math.round(count / 1e6)} MB`;
  return `${Math.max(1, Math.round(count / 1e3))} kB`;
}

export function amount(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export const baseName = (path: string): string => path.split(/[\\/]/).pop() ?? path;

/** The title, else the file name without its suffix. */
export function titleOf({ title, file }: Pick<Recording, "title" | "file">): string {
  return title || baseName(file).replace(/\.[a-z0-9]{1,5}$/i, "");
}

export function tempoText(tempo: number): string {
  const change = Math.round((tempo - 1) * 100);
  if (Math.abs(change) < 1) return "same tempo";
  return change > 0 ? `match ${change} % slower` : `match ${-change} % faster`;
}

export function transpositionText(semitones: number): string {
  if (!semitones) return "";
  return `${semitones > 0 ? "+" : "−"}${amount(Math.abs(semitones), "semitone")}`;
}

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** MIDI number → "C4" for 60. */
export const pitchName = (pitch: number): string => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
