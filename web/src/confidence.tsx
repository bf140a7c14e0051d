// The confidence of a match: in words, as a number, and as a bar, hollow where the match is doubtful.

import type { Hit } from "./api";
import { formatConfidence } from "./format";

export function Confidence({ hit, large = false }: { hit: Pick<Hit, "confidence" | "likely" | "words">; large?: boolean }) {
  return (
    <div class={`confidence${hit.likely ? "" : " unlikely"}${large ? " large" : ""}`}>
      <span class="words">{hit.words}</span>
      <span class="number">{formatConfidence(hit.confidence)}</span>
      <span class="bar" aria-hidden="true"><span style={{ width: `${Math.max(2, hit.confidence * 100)}%` }} /></span>
    </div>
  );
}
