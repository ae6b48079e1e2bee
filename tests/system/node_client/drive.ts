// Does what it is told, a JSON line for each call, and answers with a JSON line. Keeps what webhooks brought.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { NoAnswerError, ProblemError, Roompay, RoompayError, verifyWebhook, WebhookError } from '@roompay/client';

const { BASE, HOOK_PORT, SECRETS } = process.env as Record<string, string>;
const messages: unknown[] = [];

interface Order {
  id: number; call: string; args: unknown[]; token: string; base?: string;
  abortAfter?: number; options?: Record<string, unknown>;
}

async function run(o: Order): Promise<unknown> {
  if (o.call === 'methods') return Object.getOwnPropertyNames(Roompay.prototype);
  if (o.call === 'messages') return messages;
  const client = new Roompay({ base: o.base ?? BASE!, token: o.token, language: 'en' });
  const options = { ...o.options, ...(o.abortAfter ? { signal: AbortSignal.timeout(o.abortAfter) } : {}) };
  const call = (client as unknown as Record<string, (...a: unknown[]) => unknown>)[o.call]!;
  if (o.call !== 'payments') return call.call(client, ...o.args, options);
  const all = [];
  for await (const p of client.payments(o.args[0] as { userId: string })) all.push(p.tid);
  return all;
}

function told(e: unknown) {
  if (e instanceof ProblemError)
    return { ...e, name: e.name, message: e.message, isRoompay: e instanceof RoompayError };
  if (e instanceof NoAnswerError) return { name: e.name, code: e.code, charged: e.charged, cause: String(e.cause) };
  return { name: (e as Error).name, message: (e as Error).message };
}

createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const raw = Buffer.concat(chunks), secrets = SECRETS!.split(' '), seen: Record<string, unknown> = {};
  const attempt = (name: string, work: () => unknown) => {
    try { work(); seen[name] = 'ok'; } catch (e) { seen[name] = e instanceof WebhookError ? e.reason : String(e); }
  };
  attempt('raw', () => { seen.type = verifyWebhook(raw, req.headers, secrets).type; });
  attempt('text', () => verifyWebhook(raw.toString(), new Headers(req.headers as Record<string, string>), secrets));
  attempt('other secret', () => verifyWebhook(raw, req.headers, secrets[0]!));
  attempt('changed', () => verifyWebhook(Buffer.concat([raw, Buffer.from(' ')]), req.headers, secrets));
  attempt('parsed', () => verifyWebhook(JSON.parse(raw.toString()), req.headers, secrets));
  attempt('late', () => verifyWebhook(raw, req.headers, secrets, { now: Date.now() + 301_000 }));
  attempt('several', () => verifyWebhook(raw, { ...req.headers, 'webhook-signature':
    `v1,AAAA v2,xyz ${req.headers['webhook-signature']}` }, secrets));
  attempt('none', () => verifyWebhook(raw, { ...req.headers, 'webhook-signature': undefined }, secrets));
  messages.push(seen);
  res.writeHead(seen.raw === 'ok' ? 204 : 401).end();
}).listen(Number(HOOK_PORT), '127.0.0.1', () => console.log('{"ready":true}'));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  run(order).then((ok) => ({ ok }), (e) => ({ error: told(e) }))
    .then((answer) => console.log(JSON.stringify({ id: order.id, ...answer })));
}
process.exit();
