// The console's queries. The token lives in this file's memory: a reload forgets it.
let token = null;
let language = 'ko';

/** roompay's answer is an error: its sentence is `message`. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    Object.assign(this, { status, code: body.code, errors: body.errors ?? [], body });
    Object.assign(this, { requestId: body.requestId, retryAfter });
  }
}

/** There was no answer: what was asked for may have been done or not. */
export class Away extends Error {}

export const signIn = (given) => {
  token = given;
};
export const signOut = () => {
  token = null;
};
export const speak = (lang) => {
  language = lang;
};

function address(path, query) {
  const some = Object.entries(query ?? {}).filter(
    ([, v]) => v !== undefined && v !== '' && v !== null,
  );
  return `api/${path}${some.length ? `?${new URLSearchParams(some)}` : ''}`;
}

async function send(path, { query, body, accept = 'application/json' } = {}) {
  const headers = { Authorization: `Bearer ${token}`, 'Accept-Language': language, Accept: accept };
  if (body) headers['Content-Type'] = 'application/json';
  const wait = AbortSignal.timeout(40_000);
  const request = { method: body ? 'POST' : 'GET', headers, signal: wait, cache: 'no-store' };
  if (body) request.body = JSON.stringify(body);
  try {
    const answer = await fetch(address(path, query), { ...request, credentials: 'omit' });
    return { answer, text: await answer.text() };
  } catch (e) {
    throw new Away(e.message);
  }
}

async function call(path, options) {
  const { answer, text } = await send(path, options);
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A web server's own page: nobody of roompay's was there.
    if (answer.status >= 500) throw new Away(`HTTP ${answer.status}`);
  }
  if (!answer.ok) {
    throw new Problem(answer.status, body ?? {}, Number(answer.headers.get('Retry-After')) || null);
  }
  return body;
}

export const get = (path, query) => call(path, { query });
export const post = (path, body) => call(path, { body });

/** All pages of a list; `limit` keeps a console from asking for ever. */
export async function all(path, member, query, limit = 1000) {
  const found = [];
  let cursor;
  do {
    const page = await get(path, { ...query, cursor, limit: 100 });
    found.push(...page[member]);
    cursor = page.next;
  } while (cursor && found.length < limit);
  return { found, more: Boolean(cursor) };
}

/** All pages of a list as one CSV file. */
export async function csv(path, query) {
  let url = { query },
    whole = '';
  for (;;) {
    const { answer, text } = await send(url.path ?? path, { query: url.query, accept: 'text/csv' });
    if (!answer.ok) throw new Problem(answer.status, readOr(text));
    whole += whole === '' ? text : text.slice(text.indexOf('\n') + 1);
    const next = /<([^>]*)>;\s*rel="next"/.exec(answer.headers.get('Link') ?? '');
    if (next === null) return whole;
    url = { query: Object.fromEntries(new URL(next[1], location.href).searchParams) };
  }
}

function readOr(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
