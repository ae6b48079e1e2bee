import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Message } from './types.js';

type HeaderMap = Record<string, string | string[] | undefined>;
type Headers = { get(name: string): string | null };
/** What Node (`req.headers`) or fetch (`Headers`) has. */
export type WebhookHeaders = HeaderMap | Headers;

export interface VerifyOptions {
  /** Seconds that the message's time may differ from ours. Default 300. */
  tolerance?: number;
  /** Milliseconds since 1970, for tests. */
  now?: number;
}

/** Answer 401 (`signature`, `timestamp`, `header`) or 400 (`body`); do nothing of what it says. */
export class WebhookError extends Error {
  readonly reason: 'header' | 'timestamp' | 'signature' | 'body';

  constructor(reason: WebhookError['reason'], message: string) {
    super(message);
    this.name = 'WebhookError';
    this.reason = reason;
  }
}

function header(headers: WebhookHeaders, name: string): string {
  const get = (headers as Headers).get;
  const value = typeof get === 'function' ? get.call(headers, name) : (headers as HeaderMap)[name];
  if (typeof value !== 'string' || value === '') throw new WebhookError('header', `no ${name}`);
  return value;
}

function keyOf(secret: string): Buffer {
  const text = secret.startsWith('whsec_') ? secret.slice(6) : secret;
  const key = Buffer.from(text, 'base64');
  if (key.length < 16 || key.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw new TypeError('secret: whsec_ and base64 of at least 16 bytes');
  return key;
}

/** Compares every pair, so that the time tells nothing of which one was right. */
function isSigned(text: Buffer, given: string, keys: Buffer[]): boolean {
  let found = false;
  for (const key of keys) {
    const want = createHmac('sha256', key).update(text).digest();
    for (const one of given.split(' ')) {
      const [version, signature = ''] = one.split(',');
      const is = Buffer.from(signature, 'base64');
      if (version === 'v1' && is.length === want.length && timingSafeEqual(is, want)) found = true;
    }
  }
  return found;
}

function messageOf(bytes: Buffer): Message {
  try {
    const message = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof message?.type === 'string') return message;
  } catch { /* told below */ }
  throw new WebhookError('body', 'signed, but not a message');
}

/**
 * The message, if one of the secrets signed these bytes (Standard Webhooks). `body` is the body as
 * it came: express.raw({ type: 'application/json' }). While a secret is changed, give both.
 */
export function verifyWebhook(body: Uint8Array | string, headers: WebhookHeaders,
    secrets: string | string[], options: VerifyOptions = {}): Message {
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    throw new TypeError('body: the raw bytes are needed; express.json() must not run before');
  const id = header(headers, 'webhook-id'), time = header(headers, 'webhook-timestamp');
  const seconds = Math.abs((options.now ?? Date.now()) / 1000 - Number(time));
  if (!/^\d{1,15}$/.test(time) || seconds > (options.tolerance ?? 300))
    throw new WebhookError('timestamp', 'webhook-timestamp: too old, in the future, or no time');
  const bytes = Buffer.from(body as Uint8Array);
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), bytes]);
  const keys = (Array.isArray(secrets) ? secrets : [secrets]).map(keyOf);
  if (!isSigned(signed, header(headers, 'webhook-signature'), keys))
    throw new WebhookError('signature', 'webhook-signature: by none of the secrets');
  return messageOf(bytes);
}
