// Loads the data of a match: the audio of both sides, and the notes of note files.

import { getJson, type Note, type NotesOfRange, request } from "./api";
import { decode, Player } from "./player";
import { PICTURE_RATE_HZ } from "./sound-lane";
import type { Alignment, Side } from "./timing";

export interface Loaded {
  side: Side;
  audio: AudioBuffer;
  /** Samples for the waveform and spectrogram of audio; notes for a piano roll. */
  samples: Float32Array | null;
  notes: Note[] | null;
}

const CACHE_SIZE = 12;
const cache = new Map<string, Promise<ArrayBuffer>>();

/** Cached, because the query's audio is the same for many matches. */
function soundBytes(url: string): Promise<ArrayBuffer> {
  const found = cache.get(url);
  if (found) return found;
  const loading = request(url).then((answer) => answer.arrayBuffer());
  loading.catch(() => cache.delete(url));
  cache.set(url, loading);
  const oldest = cache.keys().next().value;
  if (cache.size > CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  return loading;
}

async function pictureSamples(data: ArrayBuffer): Promise<Float32Array> {
  const buffer = await new OfflineAudioContext(1, 1, PICTURE_RATE_HZ).decodeAudioData(data);
  return buffer.getChannelData(0);
}

async function loadSide(side: Side): Promise<Loaded> {
  const [data, answer] = await Promise.all([
    soundBytes(side.soundUrl),
    side.notesUrl ? getJson<NotesOfRange>(side.notesUrl) : null,
  ]);
  const [audio, samples] = await Promise.all([
    decode(data.slice(0)),
    answer ? null : pictureSamples(data.slice(0)),
  ]);
  return { side, audio, samples, notes: answer?.notes ?? null };
}

export interface Stage {
  alignment: Alignment;
  query: Loaded;
  hit: Loaded;
  left: Loaded;
  right: Loaded;
  player: Player;
}

/** Recording left, notes right; for two sides of one modality, the query left. */
export async function loadStage(alignment: Alignment): Promise<Stage> {
  const [query, hit] = await Promise.all([loadSide(alignment.query), loadSide(alignment.hit)]);
  const swapped = query.side.kind === "notes" && hit.side.kind === "audio";
  const [left, right] = swapped ? [hit, query] : [query, hit];
  const track = ({ side, audio }: Loaded) => ({ samples: audio, at: side.at, playbackRate: side.playbackRate });
  return { alignment, query, hit, left, right, player: new Player(alignment.length, track(left), track(right)) };
}
