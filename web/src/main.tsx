// The page: the header, and below it the search or the library.

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/home.css";
import "./styles/search.css";
import "./styles/match.css";
import "./styles/library.css";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Composer, getJson, type Health, type Recording } from "./api";
import { Help } from "./help";
import { LibraryIcon, Mark, MoonIcon, SearchIcon, SunIcon } from "./icons";
import { useKeys } from "./keys";
import { LibraryPage } from "./library";
import { DropEverywhere } from "./query";
import { SearchPage } from "./search-page";
import { goTo, useRequest, useRoute, useTheme } from "./state";
import { toggleTheme } from "./theme";
import { useSearch } from "./use-search";

function App() {
  const route = useRoute();
  const theme = useTheme();
  const [helping, setHelping] = useState(false);
  const [focusFind, setFocusFind] = useState(0);
  const [health, reloadHealth] = useRequest((signal) => getJson<Health>("/api/health", signal), []);
  const [composers, reloadComposers] = useRequest(
    (signal) => getJson<Composer[]>("/api/composers", signal),
    [],
  );
  const known = health.state === "ready" ? health.value : null;
  const searching = useSearch(known);
  const inLibrary = route[0] === "library";
  const backToSearch = (): void => (searching.search ? goTo("search", searching.search.id) : goTo());
  const use = (recording: Recording): void => searching.begin({ recording });

  useKeys({
    "?": () => setHelping(true),
    t: toggleTheme,
    q: backToSearch,
    b: () => goTo("library"),
    "/": () => {
      goTo("library");
      setFocusFind(focusFind + 1);
    },
  });
  useEffect(() => {
    const what = inLibrary ? "Library" : searching.search?.query?.name;
    document.title = what ? `${what} – Antiphon` : "Antiphon";
  }, [inLibrary, searching.search?.query?.name]);

  return (
    <>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.querySelector<HTMLElement>("#main :is(button, a, input, select, [tabindex])")?.focus();
      }}>Skip to content</a>
      <header class="top">
        <a class="brand" href="#/" onClick={(event) => {
          event.preventDefault();
          searching.clear();
        }}><Mark /><span>Antiphon</span></a>
        <nav aria-label="Page">
          <a href={searching.search ? `#/search/${searching.search.id}` : "#/"} aria-current={inLibrary ? undefined : "page"}><SearchIcon /><span>Search</span></a>
          <a href="#/library" aria-current={inLibrary ? "page" : undefined}><LibraryIcon /><span>Library</span></a>
        </nav>
        <button type="button" class="icon" onClick={toggleTheme} aria-label={theme === "dark" ? "Light colours" : "Dark colours"} title="Dark or light (T)">
          {theme === "dark" ? <SunIcon /> : <MoonIcon />}
        </button>
        <button type="button" class="icon" onClick={() => setHelping(true)} aria-label="Keys" title="Keys (?)"><span class="question">?</span></button>
      </header>
      {health.state === "failed" && (
        <p class="banner" role="alert">{health.message} <button type="button" onClick={() => { reloadHealth(); reloadComposers(); }}>Try again</button></p>
      )}
      {inLibrary ? (
        <LibraryPage
          tab={route[1] ?? "files"}
          health={known}
          composers={composers}
          focusFind={focusFind}
          onUse={use}
          onChanged={() => { reloadHealth(); reloadComposers(); }}
        />
      ) : (
        <SearchPage searching={searching} health={known} composers={composers} />
      )}
      <DropEverywhere onFile={(file) => searching.begin({ file })} />
      {helping && <Help version={known?.version ?? ""} onClose={() => setHelping(false)} />}
    </>
  );
}

const root = document.getElementById("page");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
