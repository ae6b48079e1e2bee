import { NoAnswerError, problemError } from './errors.js';
import type { Problem } from './types.js';

const DEFAULTS = { timeout: 20_000, retryFor: 30_000 };

export type Fetch = typeof globalThis.fetch;

export interface CallOptions {
  /** Ends the call and its repeats. Whether it was carried out is then not known: ask getOrder. */
  signal?: AbortSignal;
  /** Milliseconds for each try. Longer than roompay's deadline (13 s). Default 20,000. */
  timeout?: number;
  /** Milliseconds for all tries and the waits between them. 0: one try. Default 30,000. */
  retryFor?: number;
  /** X-Request-Id: 1 to 64 of [A-Za-z0-9._-]. */
  requestId?: string;
}

export interface Request {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** What is said of the money where no answer comes: of calls that could take it. */
  mayCharge: boolean;
}

interface Answer {
  status: number;
  body: unknown;
  retryAfter: number | undefined;
}

/** What a try came to: roompay's answer, or why there is none, and whether a repeat may get one. */
type Try = { answer: Answer } | { answer?: undefined; cause: unknown; isFinal: boolean };
type Options = CallOptions & typeof DEFAULTS;

const WAIT = 2;         // seconds, where the answer does not say

async function read(r: Response): Promise<Try> {
  const text = await r.text(), type = r.headers.get('content-type') ?? '';
  const json = /^application\/(problem\+)?json/.test(type);
  if (!r.headers.has('x-request-id') || !(r.ok || json)) {
    const cause = new Error(`the web server answered ${r.status} (${type})`);
    return { cause, isFinal: r.status < 500 };         // a wrong address stays one
  }
  const seconds = Number(r.headers.get('retry-after') ?? NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
  return { answer: { status: r.status, body: json ? JSON.parse(text) : text, retryAfter } };
}

async function send(fetch: Fetch, rq: Request, o: Options): Promise<Try> {
  const own = new AbortController();
  const late = () => own.abort(new Error(`no answer within ${o.timeout} ms`));
  const timer = setTimeout(late, o.timeout);
  const stop = () => own.abort(o.signal?.reason);
  o.signal?.addEventListener('abort', stop, { once: true });
  try {
    o.signal?.throwIfAborted();
    const { method, headers, body } = rq;               // a redirect would get the token: an error
    const init = { method, headers, signal: own.signal, redirect: 'error' as const };
    return await read(await fetch(rq.url, body === undefined ? init : { ...init, body }));
  } catch (cause) {
    o.signal?.throwIfAborted();
    return { cause, isFinal: false };
  } finally {
    clearTimeout(timer);
    o.signal?.removeEventListener('abort', stop);
  }
}

/** Every call is safe to repeat. Is it worth it? */
function isWorthRepeating(a: Answer): boolean {
  const { code, charged } = a.body as Partial<Problem>;
  if (a.status === 202 || a.status === 503) return true;
  if (code === 'payment-in-progress' || code === 'refund-in-progress') return true;
  if (code === 'too-many-requests') return true;
  return a.status >= 500 && charged === 'unknown';      // the repeat finds out
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((wake, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      wake();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The call, repeated while that is worth it. Returns the body of a 2xx, or throws. */
export async function call<T>(fetch: Fetch, rq: Request, options: CallOptions): Promise<T> {
  const { timeout = DEFAULTS.timeout, retryFor = DEFAULTS.retryFor } = options;
  const o: Options = { ...options, timeout, retryFor }, end = Date.now() + retryFor;
  for (;;) {
    const result = await send(fetch, rq, o), a = result.answer;
    const wait = 1000 * (a?.retryAfter ?? WAIT);
    const again = a === undefined ? !result.isFinal : isWorthRepeating(a);
    if (!again || Date.now() + wait > end) return outcome<T>(rq, result);
    await sleep(wait, o.signal);
  }
}

function outcome<T>(rq: Request, result: Try): T {
  const a = result.answer;
  if (a === undefined)
    throw new NoAnswerError(`no answer to ${rq.method} ${new URL(rq.url).pathname}`,
      { cause: result.cause, charged: rq.mayCharge ? 'unknown' : undefined });
  const isProblem = a.status >= 400 && typeof (a.body as Partial<Problem>).code === 'string';
  if (isProblem) throw problemError(a.body as Problem, a.retryAfter);
  return a.body as T;                   // also a 503 of readyz, which is an answer
}
