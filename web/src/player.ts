// Plays two sounds in sync: the recording on the left channel, the notes on the right, or one of them alone.

export type Output = "left" | "both" | "right";

interface Track {
  samples: AudioBuffer;
  /** Seconds of the axis at which the samples begin. */
  at: number;
  playbackRate: number;
}

interface Voice {
  gain: GainNode;
  pan: StereoPannerNode;
  buffer: AudioBuffer;
  rate: number;
  source: AudioBufferSourceNode | null;
}

const START_DELAY_S = 0.04;
const FADE_S = 0.015;

let shared: AudioContext | null = null;

/** One audio context for the page, created after a user action: browsers allow few, and only then. */
function audioContext(): AudioContext {
  shared ??= new AudioContext({ latencyHint: "interactive" });
  return shared;
}

/** Decodes audio files of the server. Does not need the permission to play. */
export async function decode(data: ArrayBuffer): Promise<AudioBuffer> {
  return new OfflineAudioContext(1, 1, 44100).decodeAudioData(data);
}

export class Player {
  readonly length: number;
  playing = false;
  onEnd: () => void = () => {};
  private voices: [Voice, Voice] | null = null;
  private output: Output = "both";
  private loop: [number, number] | null = null;
  private position = 0;
  private startedAt = 0;
  private watch = 0;

  constructor(
    length: number,
    private readonly left: Track,
    private readonly right: Track,
  ) {
    this.length = length;
  }

  /** Seconds of the axis. */
  get now(): number {
    if (!this.playing) return this.position;
    const passed = Math.max(0, audioContext().currentTime - this.startedAt);
    const here = this.position + passed;
    if (this.loop && this.position < this.loop[1] && here >= this.loop[1]) {
      const [from, to] = this.loop;
      return from + ((here - to) % (to - from));
    }
    return Math.min(here, this.length);
  }

  async play(from = this.position): Promise<void> {
    const context = audioContext();
    if (context.state !== "running") await context.resume();
    this.halt();
    this.voices ??= [this.voice(this.left), this.voice(this.right)];
    this.position = from >= this.length - 0.01 ? (this.loop?.[0] ?? 0) : from;
    this.startedAt = context.currentTime + START_DELAY_S;
    const loop = this.loop && this.position < this.loop[1] ? this.loop : null;
    for (const voice of this.voices) {
      const source = new AudioBufferSourceNode(context, { buffer: voice.buffer, playbackRate: voice.rate });
      if (loop) {
        source.loop = true;
        source.loopStart = loop[0] * voice.rate;
        source.loopEnd = loop[1] * voice.rate;
      }
      source.connect(voice.gain);
      source.start(this.startedAt, this.position * voice.rate);
      voice.source = source;
    }
    this.playing = true;
    this.setOutput(this.output);
    if (!loop) {
      const rest = (this.length - this.position + START_DELAY_S) * 1000;
      this.watch = window.setTimeout(() => {
        this.pause();
        this.position = 0;
        this.onEnd();
      }, rest);
    }
  }

  pause(): void {
    this.position = this.now;
    this.halt();
  }

  seek(to: number): void {
    const clamped = Math.min(Math.max(0, to), this.length);
    if (this.playing) void this.play(clamped);
    else this.position = clamped;
  }

  setLoop(loop: [number, number] | null): void {
    const now = this.now;
    this.loop = loop;
    const inside = loop && (now < loop[0] || now >= loop[1]) ? loop[0] : now;
    if (this.playing) void this.play(inside);
    else this.position = inside;
  }

  setOutput(output: Output): void {
    this.output = output;
    if (!this.voices) return;
    const time = audioContext().currentTime;
    const set = (voice: Voice, audible: boolean, pan: number): void => {
      voice.gain.gain.setTargetAtTime(audible ? 1 : 0, time, FADE_S);
      voice.pan.pan.setTargetAtTime(pan, time, FADE_S);
    };
    set(this.voices[0], output !== "right", output === "both" ? -1 : 0);
    set(this.voices[1], output !== "left", output === "both" ? 1 : 0);
  }

  close(): void {
    this.halt();
    for (const voice of this.voices ?? []) voice.pan.disconnect();
    this.voices = null;
  }

  private halt(): void {
    window.clearTimeout(this.watch);
    for (const voice of this.voices ?? []) {
      voice.source?.stop();
      voice.source?.disconnect();
      voice.source = null;
    }
    this.playing = false;
  }

  /** Pads the track with silence to the length of the axis, so that both voices can loop together. */
  private voice({ samples, at, playbackRate }: Track): Voice {
    const context = audioContext();
    const rate = samples.sampleRate;
    const buffer = new AudioBuffer({
      length: Math.max(1, Math.ceil(this.length * playbackRate * rate)),
      sampleRate: rate,
      numberOfChannels: 1,
    });
    const begin = Math.round(at * playbackRate * rate);
    const data = samples.getChannelData(0);
    buffer.copyToChannel(data.subarray(0, Math.max(0, buffer.length - begin)), 0, begin);
    const gain = new GainNode(context, { gain: 1 });
    const pan = new StereoPannerNode(context);
    gain.connect(pan).connect(context.destination);
    return { gain, pan, buffer, rate: playbackRate, source: null };
  }
}
