// How sure a hit is: in words, as a number, and as a bar that is hollow where it is more likely wrong than right.

import type { Hit } from "./api";
import { sureness } from "./words";

export function Confidence({ hit, large = false }: { hit: Pick<Hit, "confidence" | "likely" | "words">; large?: boolean }) {
  return (
    <div class={`confidence${hit.likely ? "" : " unlikely"}${large ? " large" : ""}`}>
      <span class="words">{hit.words}</span>
      <span class="number">{sureness(hit.confidence)}</span>
      <span class="bar" aria-hidden="true"><span style={{ width: `${Math.max(2, hit.confidence * 100)}%` }} /></span>
    </div>
  );
}
