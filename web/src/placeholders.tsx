// Placeholders for content that is loading or could not be loaded.

import { WarnIcon } from "./icons";
import { sentence } from "./format";

export const Loading = ({ text = "Loading…" }: { text?: string }) => (
  <div class="empty" role="status"><span class="spinner" />{text}</div>
);

export function LoadError({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <div class="empty" role="alert">
      <WarnIcon />
      <p>{sentence(message)}</p>
      <button type="button" onClick={onRetry}>Try again</button>
    </div>
  );
}
