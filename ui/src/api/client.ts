// One request to the node's API: the envelope opened, every way to fail told apart.

/** What went wrong: `type` is the API's errorType, or `unreachable`, `http`, `unexpected` where there was no API answer. */
export class ApiError extends Error {
  constructor(
    readonly type: string,
    message: string,
    readonly status = 0,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Whether the node itself could not be reached, as opposed to having refused the request. */
  get unreachable(): boolean {
    return this.type === 'unreachable' || [502, 503, 504].includes(this.status);
  }
}

/** The data of a successful answer with what the node had to say about it. */
export interface Answer<T> {
  data: T;
  warnings: string[];
  infos: string[];
}

interface Envelope {
  status?: unknown;
  data?: unknown;
  errorType?: unknown;
  error?: unknown;
  warnings?: unknown;
  infos?: unknown;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function httpStatus(status: number, statusText: string): string {
  const reasons: Record<number, string> = {
    401: 'not signed in: this node asks for a user and password',
    403: 'this user may not do that',
    404: 'this node has no such endpoint',
    502: 'the proxy in front of the node got no answer from it',
    503: 'the node is not ready',
    504: 'the proxy in front of the node waited too long for it',
  };
  const reason = reasons[status];
  return [`HTTP ${status}`, statusText, reason && `(${reason})`].filter(Boolean).join(' ');
}

/** Opens the envelope of a response body; throws ApiError unless it reports success. */
export function openEnvelope<T>(status: number, statusText: string, body: string): Answer<T> {
  let envelope: Envelope | null = null;
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) envelope = parsed as Envelope;
  } catch {
    // A proxy's HTML or plain text; told apart below by the status.
  }
  if (envelope?.status === 'success' && 'data' in envelope) {
    return { data: envelope.data as T, warnings: strings(envelope.warnings), infos: strings(envelope.infos) };
  }
  if (envelope?.status === 'error') {
    throw new ApiError(String(envelope.errorType ?? 'error'), String(envelope.error ?? 'no reason given'), status);
  }
  if (status < 200 || status > 299) throw new ApiError('http', httpStatus(status, statusText), status);
  const excerpt = body.slice(0, 120).replace(/\s+/g, ' ').trim();
  throw new ApiError('unexpected', `the answer is not the API's JSON: ${excerpt || 'empty body'}`, status);
}

/** Options of one request. */
export interface RequestOptions {
  /** Sent as a form by POST instead of GET. */
  form?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * Asks `api/v1/<path>` under the page's base. Throws ApiError; an aborted request throws the platform's AbortError instead,
 * which `isAbort` recognises.
 */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<Answer<T>> {
  const init: RequestInit = { credentials: 'same-origin', headers: { accept: 'application/json' } };
  if (options.signal) init.signal = options.signal;
  if (options.form) {
    init.method = 'POST';
    init.body = new URLSearchParams(options.form as Record<string, string>);
  }
  let response: Response;
  let body: string;
  try {
    response = await fetch(new URL(`api/v1/${path}`, document.baseURI), init);
    body = await response.text();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError('unreachable', 'the node does not answer');
  }
  return openEnvelope<T>(response.status, response.statusText, body);
}

/** Whether an error means that we ourselves cancelled the request. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Any thrown value as an ApiError. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('unexpected', error instanceof Error ? error.message : String(error));
}
