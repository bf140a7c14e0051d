// Files that could not be indexed, with the reasons.

import { type Failure, getJson } from "./api";
import { useRequest } from "./state";
import { LoadError, Loading } from "./placeholders";
import { amount } from "./format";

export function Failures() {
  const [loaded, reload] = useRequest((signal) => getJson<Failure[]>("/api/failures", signal), []);
  if (loaded.state === "loading") return <Loading />;
  if (loaded.state === "failed") return <LoadError message={loaded.message} onRetry={reload} />;
  if (!loaded.value.length) {
    return <div class="empty"><h2>Every file was read</h2><p>Files that cannot be used are listed here with the reason.</p></div>;
  }
  return (
    <section aria-label="Files not read">
      <p class="lead">{amount(loaded.value.length, "file")} could not be used. The rest of the library is not affected.</p>
      <ul class="failures">
        {loaded.value.map(({ file, reason }) => (
          <li key={file}><b>{file}</b><span>{reason}</span></li>
        ))}
      </ul>
    </section>
  );
}
