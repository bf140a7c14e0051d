// Files that could not be indexed, and why.

import { type Failure, getJson } from "./api";
import { useAsked } from "./state";
import { Trouble, Waiting } from "./told";
import { amount } from "./words";

export function Failures() {
  const [asked, again] = useAsked((signal) => getJson<Failure[]>("/api/failures", signal), []);
  if (asked.state === "loading") return <Waiting />;
  if (asked.state === "failed") return <Trouble message={asked.message} onRetry={again} />;
  if (!asked.value.length) {
    return <div class="empty"><h2>Every file was read</h2><p>A file that cannot be used is named here with the reason.</p></div>;
  }
  return (
    <section aria-label="Files not read">
      <p class="lead">{amount(asked.value.length, "file")} could not be used. The rest of the library is not affected.</p>
      <ul class="failures">
        {asked.value.map(({ file, reason }) => (
          <li key={file}><b>{file}</b><span>{reason}</span></li>
        ))}
      </ul>
    </section>
  );
}
