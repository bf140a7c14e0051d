// Client of the API. The types are generated from web/openapi.json (make api). All times are seconds.

import type { components } from "./openapi";

type Schemas = components["schemas"];
export type Recording = Schemas["Recording"];
export type Kind = Recording["kind"];
export type Hit = Schemas["Hit"];
export type Search = Schemas["Search"];
export type Health = Schemas["Health"];
export type Job = Schemas["Job"];
export type Pair = Schemas["Pair"];
export type Pairs = Schemas["Pairs"];
export type Recordings = Schemas["Recordings"];
export type Composer = Schemas["Composer"];
export type Failure = Schemas["Failure"];
export type LibraryMap = Schemas["Map"];
export type NotesOfRange = Schemas["NotesOfRange"];
/** [onset_s, duration_s, pitch, velocity], onsets from the file's beginning. */
export type Note = NotesOfRange["notes"][number];

export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly retryAfterS = 0,
  ) {
    super(message);
  }
}

/** Code of an error without a response: the server cannot be reached. */
export const UNREACHABLE = "unreachable";

async function toError(answer: Response): Promise<ApiError> {
  const retry = Number(answer.headers.get("Retry-After")) || 0;
  try {
    const { error, code } = (await answer.json()) as { error: string; code: string };
    return new ApiError(String(error), String(code), answer.status, retry);
  } catch {
    return new ApiError(`The server responded with ${answer.status} ${answer.statusText}.`, "http", answer.status, retry);
  }
}

export async function request(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server does not respond. Is antiphon serve still running?", UNREACHABLE, 0);
  }
  if (!answer.ok) throw await toError(answer);
  return answer;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, signal ? { signal } : undefined)).json()) as T;
}

export async function postJson<T>(path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method: "POST" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  return (await (await request(path, init)).json()) as T;
}

/** Posts a form and reports the progress, 0 to 1, which fetch cannot do. */
export function postForm<T>(path: string, form: FormData, onProgress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", path);
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    xhr.onerror = () =>
      reject(new ApiError("The upload failed: the server does not respond.", UNREACHABLE, 0));
    xhr.onload = () => {
      let body: unknown;
      try {
        body = JSON.parse(xhr.responseText);
      } catch {
        body = null;
      }
      if (xhr.status >= 200 && xhr.status < 300 && body) return resolve(body as T);
      const problem = (body ?? {}) as { error?: string; code?: string };
      const retry = Number(xhr.getResponseHeader("Retry-After")) || 0;
      const message = problem.error ?? `The server responded with ${xhr.status}.`;
      return reject(new ApiError(message, problem.code ?? "http", xhr.status, retry));
    };
    xhr.send(form);
  });
}

export function withParameters(path: string, values: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") {
      parameters.set(name, typeof value === "number" ? String(Math.round(value * 1e6) / 1e6) : value);
    }
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

const known = new Map<number, Promise<Recording>>();

/** Gets one recording; cached. */
export function recordingOf(id: number): Promise<Recording> {
  let found = known.get(id);
  if (!found) {
    found = getJson<Recording>(`/api/recordings/${id}`);
    found.catch(() => known.delete(id));
    known.set(id, found);
  }
  return found;
}

/** Clears the cache: after changes of the library an id may belong to another recording. */
export const forgetRecordings = (): void => known.clear();

/** Polls a job until it ends. */
export async function followJob(job: Job, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  let now = job;
  while (now.status === "queued" || now.status === "running") {
    onChange(now);
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = await getJson<Job>(`/api/jobs/${now.id}`, signal);
  }
  onChange(now);
  return now;
}
