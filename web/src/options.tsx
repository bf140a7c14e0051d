// Search options: what to search, and which part of the query to use.

import type { Health } from "./api";
import type { Options } from "./search-client";
import type { Searching } from "./use-search";
import type { Loadable } from "./state";

interface Props {
  searching: Searching;
  health: Health | null;
  composers: Loadable<{ composer: string; recordings: number }[]>;
}

export function OptionsPanel({ searching, health, composers }: Props) {
  const { options, setOptions, canRepeat, repeat } = searching;
  const set = (change: Partial<Options>): void => {
    const next = { ...options, ...change };
    for (const name of Object.keys(next) as (keyof Options)[]) {
      if (next[name] === undefined || next[name] === "" || next[name] === false) delete next[name];
    }
    setOptions(next);
  };
  const number = (text: string): number | undefined => (text.trim() && Number(text) >= 0 ? Number(text) : undefined);
  const named = composers.state === "ready" ? composers.value.filter(({ composer }) => composer) : [];
  const chosen = Object.keys(options).length;
  return (
    <details class="options">
      <summary>Options{chosen > 0 && <span class="count">{chosen}</span>}</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          repeat();
        }}
      >
        <label>
          Search among
          <select
            value={options.against ?? ""}
            onChange={(event) => set({ against: (event.currentTarget.value || undefined) as Options["against"] })}
          >
            <option value="">the other modality</option>
            <option value="notes">notes{health ? ` (${health.index.notes})` : ""}</option>
            <option value="audio">recordings{health ? ` (${health.index.audio})` : ""}</option>
          </select>
        </label>
        {named.length > 0 && (
          <label>
            Composer
            <select value={options.composer ?? ""} onChange={(event) => set({ composer: event.currentTarget.value })}>
              <option value="">any</option>
              {named.map(({ composer, recordings }) => (
                <option value={composer}>{`${composer} (${recordings})`}</option>
              ))}
            </select>
          </label>
        )}
        <div class="pair">
          <label>
            From second
            <input
              type="number" min="0" step="any" inputMode="decimal" placeholder="0" value={options.start_s ?? ""}
              onChange={(event) => set({ start_s: number(event.currentTarget.value) })}
            />
          </label>
          <label>
            Seconds
            <input
              type="number" min="3" step="any" inputMode="decimal" placeholder="all" value={options.length_s ?? ""}
              onChange={(event) => set({ length_s: number(event.currentTarget.value) })}
            />
          </label>
        </div>
        <label class="check">
          <input type="checkbox" checked={options.transpose ?? false} onChange={(event) => set({ transpose: event.currentTarget.checked })} />
          Also in other keys
        </label>
        <label class="check">
          <input type="checkbox" checked={options.by_work ?? false} onChange={(event) => set({ by_work: event.currentTarget.checked })} />
          One match per work
        </label>
        <button type="submit" class="primary" disabled={!canRepeat}>Search again</button>
        {!canRepeat && <p class="hint">The options apply to the next query.</p>}
      </form>
    </details>
  );
}
