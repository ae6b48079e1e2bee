// For a gateway and a reservation service that speak packets (JSON over TCP), as they did with the
// payment service that roompay replaces: packets in, HTTP to roompay out; roompay's webhooks in,
// packets out. It keeps nothing that matters: after a restart roompay tells everything again.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import {
  Roompay, RoompayError, SlotHeldError, SlotSoldError, verifyWebhook,
} from '@roompay/client';

const env = { HOST: '127.0.0.1', CID: 'TC0ONETIME', SEPARATOR: '\n', ...process.env };
const asGateway = new Roompay({ base: env.BASE, token: env.GATEWAY });
const asReservation = new Roompay({ base: env.BASE, token: env.RESERVATION });
const APPROVE_MS = 60_000;            // how long to look for the end of an approval
const BOOK_MS = 15_000;               // roompay waits 20 s for the answer to a webhook
const CHECKING = '결제를 확인하고 있습니다. 다시 결제하지 마세요.';
const BOOKING = '결제되었습니다. 예약을 확인하고 있습니다.';

/** What a failed query says to the gateway. `body` has `err`, `msg` and `status`, as ever. */
class Refusal extends Error {
  constructor(status, msg, more = {}) {
    super(msg);
    this.body = { err: true, status, msg, ...more };
  }
}

// --- packets: objects { headers: { method, curQuery, nextQuery, endQuery, params }, body }

/** Calls take() with each JSON object of a stream, whatever stands between two of them. */
function eachPacket(socket, take) {
  let text = '', depth = 0, isText = false, isEscaped = false;
  socket.setEncoding('utf8').on('data', (chunk) => {
    for (const c of chunk) {
      if (depth === 0 && c !== '{') continue;
      text += c;
      if (isEscaped) isEscaped = false;
      else if (isText && c === '\\') isEscaped = true;
      else if (c === '"') isText = !isText;
      else if (!isText && c === '{') depth++;
      else if (!isText && c === '}') depth--;
      if (text.length > 65_536) return socket.destroy();
      if (depth > 0) continue;
      take(text);
      text = '';
    }
  });
}

/** The separator is the one thing that you may have to change. */
const send = (socket, packet) => socket.write(JSON.stringify(packet) + env.SEPARATOR);

/** Everything that the packet had beside our own members goes back as it came. */
function reply({ socket, packet }, method, body) {
  const { nextQuery, endQuery = 'apigateway' } = packet.headers;
  const headers = { ...packet.headers, method, curQuery: nextQuery, nextQuery: endQuery };
  send(socket, { ...packet, headers, body });
}

/** A Map that forgets its oldest entries. */
function remember(map, key, value) {
  map.delete(key);
  map.set(key, value);
  if (map.size > 10_000) map.delete(map.keys().next().value);
}
const keyOf = (roomId, userId) => `${String(roomId).toLowerCase()}/${userId}`;
const asked = new Map();              // key -> paymentInfo of the last inspectQueue
const waiting = new Map();            // key -> { socket, packet }: an approval without its answer
const booking = new Map();            // key -> { tid, done }: the reservation service adds it
const booked = new Map();             // tid -> what the gateway was told

// --- the gateway's queries. What they return is the body of the REPLY; undefined: it comes later

async function inspectQueue({ userId, userInfo, paymentInfo, reservationInfo }) {
  const user = userId ?? userInfo?.userId, room = reservationInfo?.roomId;
  const back = (page) => `${env.SITE}/${page}/${room}/${encodeURIComponent(user)}`;
  const info = {
    cid: env.CID, partner_order_id: `order-${randomUUID()}`, partner_user_id: user, quantity: 1,
    tax_free_amount: 0, approval_url: back('approval'), cancel_url: back('cancel'),
    fail_url: back('fail'), ...paymentInfo,
  };
  for (const name of ['quantity', 'total_amount', 'tax_free_amount'])
    info[name] = Number(info[name]);                      // they may have come as texts
  const ready = await asGateway.payReady(
    { userInfo: { ...userInfo, userId: user }, paymentInfo: info, reservationInfo });
  remember(asked, keyOf(room, user), info);
  return { nextUrl: ready.next_redirect_pc_url, status: 200 };
}

/** The gateway hears of the end when the reservation is in the calendar: see queue.removed. */
async function approvePayment({ pg_token, userId, roomId }, from) {
  const key = keyOf(roomId, userId);
  remember(waiting, key, from);
  try {
    const body = { pg_token, userId, roomId }, options = { retryFor: APPROVE_MS };
    const a = await asGateway.approvePayment(body, options);
    if (a.charged === 'unknown') throw new Refusal(400, CHECKING, { charged: a.charged });
    if (a.state === 'review') throw new Refusal(400, BOOKING, { charged: true });
    if (await isBooked(a, roomId)) return queueRemoved({ ...a, ...a.payment, userId, roomId });
    setTimeout(giveUpWaiting, BOOK_MS, key, from).unref();
  } catch (e) {
    if (waiting.get(key) === from) waiting.delete(key);
    throw e;
  }
}

/** A reload of the page: no hold guards the time any more, so the calendar has it. */
async function isBooked({ payment, state }, roomId) {
  if (booked.has(payment?.tid)) return true;
  const held = await asGateway.listHeld({ roomId });
  return state === 'approved' && !held.some((h) => h.state === 'approved');
}

function giveUpWaiting(key, from) {
  if (waiting.get(key) !== from) return;
  waiting.delete(key);
  reply(from, 'ERROR', { err: true, status: 400, msg: BOOKING, charged: true });
}

async function userGaveUp({ userId, roomId }) {
  const a = await asGateway.removePaymentInQueue({ userId, roomId });
  if (!a.removed) throw new Refusal(404, '결제 대기가 없습니다.');
  const paymentInfo = asked.get(keyOf(roomId, userId));
  return { reservationInfo: a.reservationInfo, paymentInfo, status: 200 };
}

const QUERIES = {
  inspectQueue, payReady: inspectQueue, payRead: inspectQueue, approvePayment,
  removePaymentInQueue: userGaveUp, removeInQueue: userGaveUp,
};

/** The old gateway knows REPLY and ERROR, 200, 400 and 404. `code` and `charged` are new. */
function failure(e) {
  if (e instanceof Refusal) return ['ERROR', e.body];
  if (!(e instanceof RoompayError)) {
    console.error(e);
    return ['ERROR', { err: true, status: 400, msg: '잘못된 요청입니다.' }];
  }
  const { code, charged } = e, wrong = (e.errors ?? []).map((w) => `${w.pointer}: ${w.detail}`);
  const said = [e.detail ?? '결제 서비스가 응답하지 않습니다.', ...wrong].join(' ');
  const msg = charged === 'unknown' ? CHECKING : said, more = { msg, code, charged };
  if (e instanceof SlotHeldError || e instanceof SlotSoldError)
    return ['REPLY', { err: true, status: 200, ...more }];      // somebody else pays: no ERROR
  return ['ERROR', { err: true, status: [404, 410].includes(e.status) ? 404 : 400, ...more }];
}

async function fromGateway(from) {
  const { nextQuery, params } = from.packet.headers;
  try {
    if (!Object.hasOwn(QUERIES, nextQuery)) throw new Refusal(404, `no query ${nextQuery}`);
    const body = await QUERIES[nextQuery](params ?? {}, from);
    if (body !== undefined) reply(from, 'REPLY', body);
  } catch (e) {
    reply(from, ...failure(e));
  }
}

// --- the reservation service's packets

async function fromReservation(packet) {
  const { method, params } = packet.headers, { userId } = params ?? {};
  const roomId = params?.roomId ?? params?.reservationInfo?.roomId, key = keyOf(roomId, userId);
  const { tid, done } = booking.get(key) ?? {};
  if (method === 'ERROR') {                    // it cannot book: roompay tells its operator
    const from = waiting.get(key);
    if (from) reply(from, 'ERROR', packet.body);
    waiting.delete(key);
    return done?.(packet.body?.status >= 500 ? 500 : 409);
  }
  try {                                        // it is in the calendar: the hold may go
    await asReservation.removePaymentInQueue({ userId, roomId, ...(tid && { tid }) });
    done?.(204);
  } catch (e) {
    console.error(`removePaymentInQueue ${key}:`, e.message);
    done?.(500);                               // the webhook comes again
  }
}

const isRemoval = (name) => name === 'removePaymentInQueue' || name === 'removeInQueue';

function take(socket, text) {
  let packet;
  try {
    packet = JSON.parse(text);
    const { curQuery, nextQuery } = packet.headers;
    const isOfReservation = socket === reservation
      || (curQuery === 'addReservation' && isRemoval(nextQuery));
    if (!isOfReservation) fromGateway({ socket, packet });
    else if (isRemoval(nextQuery) || packet.headers.method === 'ERROR') fromReservation(packet);
  } catch {
    socket.destroy();                          // no packet
  }
}

let reservation;
function connectToReservation() {
  const [host, port] = env.RESERVATION_SERVICE.split(':');
  reservation = net.connect({ host, port: Number(port), keepAlive: true });
  eachPacket(reservation, take.bind(null, reservation));
  reservation.on('error', () => {}).on('close', () => setTimeout(connectToReservation, 1000));
}

// --- roompay's webhooks. What they return is the status: anything but 2xx, and they come again

async function paymentApproved({ tid, userId, roomId, reservationInfo }) {
  const key = keyOf(roomId, userId), { headers, ...rest } = waiting.get(key)?.packet ?? {};
  if (booked.has(tid)) return 204;
  if (booking.has(key) || reservation.readyState !== 'open') return 503;
  const answer = new Promise((done) => booking.set(key, { tid, done }));
  const timer = setTimeout(booking.get(key).done, BOOK_MS, 503);
  const next = { method: 'REPLY', curQuery: 'approvePayment', nextQuery: 'addReservation' };
  const params = { reservationInfo, userId, tid };
  send(reservation, { ...rest, headers: { endQuery: 'apigateway', ...headers, ...next, params } });
  const status = await answer;
  clearTimeout(timer);
  booking.delete(key);
  return status;
}

function queueRemoved({ tid, userId, roomId, reservationInfo, payment }) {
  const key = keyOf(roomId, userId), from = waiting.get(key);
  const { total: total_amount, tax_free: tax_free_amount } = payment?.amount ?? {};
  const paymentInfo = { ...payment, total_amount, tax_free_amount };
  remember(booked, tid, { reservationInfo, paymentInfo, status: 200 });
  if (from) reply(from, 'REPLY', booked.get(tid));
  waiting.delete(key);
}

function paymentResolved({ tid, charged }) {
  console.log(`${tid}: ${charged ? 'charged' : 'not charged'}`);   // the page has long been shown
}

function paymentRefunded({ tid, userId, roomId, state }) {
  if (state !== 'refunded') return 204;
  console.log(`${tid}: refunded; take room ${roomId}, user ${userId} out of the calendar`);
  if (!env.CANCEL_QUERY) return 204;
  if (reservation.readyState !== 'open') return 503;
  const headers = { method: 'REPLY', curQuery: 'paymentRefunded', nextQuery: env.CANCEL_QUERY };
  send(reservation, { headers: { ...headers, params: { tid, userId, roomId } } });
  return 204;
}

const HOOKS = {
  '/hooks/gateway': [env.GATEWAY_WEBHOOK,
    { 'queue.removed': queueRemoved, 'payment.resolved': paymentResolved }],
  '/hooks/reservation': [env.RESERVATION_WEBHOOK,
    { 'payment.approved': paymentApproved, 'payment.refunded': paymentRefunded }],
};

async function hook(req) {
  const [secret, handlers] = HOOKS[req.url] ?? [], chunks = [];
  if (!secret) return 404;
  for await (const chunk of req) if (chunks.push(chunk) > 1000) return 413;
  let message;
  try {
    message = verifyWebhook(Buffer.concat(chunks), req.headers, secret);
  } catch {
    return 401;
  }
  return await handlers[message.type]?.(message.data) ?? 204;
}

connectToReservation();
http.createServer(async (req, res) => {
  res.writeHead(await hook(req).catch(() => 500)).end();
}).listen(env.HOOK_PORT, env.HOST);
net.createServer((socket) => {
  eachPacket(socket.on('error', () => {}), take.bind(null, socket));
}).listen(env.PORT, env.HOST, () => console.log(`packets: ${env.HOST}:${env.PORT}`));
