// What stands where something is not here yet, or could not be had.

import { WarnIcon } from "./icons";
import { sentence } from "./words";

export const Waiting = ({ text = "Loading…" }: { text?: string }) => (
  <div class="empty" role="status"><span class="spinner" />{text}</div>
);

export function Trouble({ message, onRetry }: { message: string; onRetry: () => void }) {
  return (
    <div class="empty" role="alert">
      <WarnIcon />
      <p>{sentence(message)}</p>
      <button type="button" onClick={onRetry}>Try again</button>
    </div>
  );
}
