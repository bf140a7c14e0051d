// Recording from the microphone to a WAV file, because the server does not read WebM.

import { decode } from "./player";

/** Encodes samples as 16-bit mono WAV. */
export function encodeWav(samples: Float32Array, rate: number): Blob {
  const bytes = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const text = (at: number, word: string): void =>
    [...word].forEach((letter, n) => bytes.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, 36 + samples.length * 2, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, rate * 2, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, "data");
  bytes.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, n) => {
    bytes.setInt16(44 + n * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
  });
  return new Blob([bytes.buffer], { type: "audio/wav" });
}

function toMono(buffer: AudioBuffer): Float32Array {
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((sample, n) => (mono[n]! += sample / buffer.numberOfChannels));
  }
  return mono;
}

export class Take {
  private readonly chunks: Blob[] = [];
  private readonly context = new AudioContext();
  private readonly analyser: AnalyserNode;
  private readonly frame: Float32Array<ArrayBuffer>;
  private readonly recorder: MediaRecorder;
  private readonly startedMs = performance.now();

  private constructor(private readonly stream: MediaStream) {
    this.analyser = new AnalyserNode(this.context, { fftSize: 1024 });
    this.frame = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.recorder = new MediaRecorder(stream);
    this.recorder.ondataavailable = ({ data }) => this.chunks.push(data);
    this.recorder.start();
  }

  /** Opens the microphone without the speech processing of the browser, which would distort music. */
  static async begin(): Promise<Take> {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("This browser allows the microphone only on localhost or over https.");
    }
    try {
      return new Take(
        await navigator.mediaDevices.getUserMedia({
          audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
        }),
      );
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      if (name === "NotAllowedError") throw new Error("Access to the microphone was denied.");
      if (name === "NotFoundError") throw new Error("No microphone was found.");
      throw new Error(`The microphone could not be opened (${name || String(error)}).`);
    }
  }

  get seconds(): number {
    return (performance.now() - this.startedMs) / 1000;
  }

  /** Current loudness, 0 to 1 over a range of 60 dB. */
  get level(): number {
    this.analyser.getFloatTimeDomainData(this.frame);
    const power = this.frame.reduce((sum, sample) => sum + sample * sample, 0) / this.frame.length;
    return Math.max(0, Math.min(1, 1 + Math.log10(power + 1e-9) / 6));
  }

  cancel(): void {
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") void this.context.close();
  }

  async finish(): Promise<File> {
    await new Promise<void>((resolve) => {
      this.recorder.onstop = () => resolve();
      this.recorder.stop();
    });
    this.cancel();
    const data = await new Blob(this.chunks, { type: this.recorder.mimeType }).arrayBuffer();
    const buffer = await decode(data);
    const stamp = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    return new File([encodeWav(toMono(buffer), buffer.sampleRate)], `take ${stamp}.wav`, { type: "audio/wav" });
  }
}
