// A study-room site in about 60 lines, written by doc/integration.md alone: gateway and reservation.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { Webhook } from 'standardwebhooks';
const { BASE, GATEWAY, RESERVATION, GATEWAY_WEBHOOK, RESERVATION_WEBHOOK, SITE } = process.env;
const orders = new Map(), calendar = new Map(), app = express(), unpaid = ['paying', 'checking'];

async function call(path, token, body, end = Date.now() + 30_000) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(20_000);
  const sent = { method: 'POST', headers, signal, body: JSON.stringify(body) };
  const r = await fetch(BASE + path, sent).catch(() => null);
  const a = { status: r?.status ?? 0, ...(await r?.json().catch(() => ({}))) };
  const wait = 1000 * (r?.headers.get('retry-after') ?? 2);
  const again = [0, 202, 503].includes(a.status) || a.code === 'payment-in-progress';
  if (!again || Date.now() + wait > end) return a;
  await new Promise((wake) => setTimeout(wake, wait));
  return call(path, token, body, end);
}
const find = (req, res, next) =>
  (req.order = orders.get(req.query.order)) ? next() : res.status(404).send('no such order');
app.post('/book', express.json(), async (req, res) => {
  const { userId, roomId, day, startTime, endTime } = req.body, id = `order-${randomUUID()}`;
  orders.set(id, { id, userId, roomId, state: 'paying' });
  const gaveUp = `${SITE}/gave-up?order=${id}`;
  const a = await call('/payReady', GATEWAY, {
    userInfo: { userId }, reservationInfo: { day, startTime, endTime, roomId },
    paymentInfo: { cid: 'TC0ONETIME', partner_order_id: id, partner_user_id: userId, quantity: 1,
      item_name: '스터디룸 A', total_amount: 9000, tax_free_amount: 0,
      approval_url: `${SITE}/ok?order=${id}`, cancel_url: gaveUp, fail_url: gaveUp } });
  if (a.status === 200) return res.json({ order: id, pay: a.next_redirect_pc_url });
  res.status(409).json({ code: a.code, conflicts: a.conflicts });
});
app.get('/ok', find, async ({ order, query: { pg_token } }, res) => {
  const { userId, roomId } = order;
  const a = await call('/approvePayment', GATEWAY, { pg_token, userId, roomId });
  const told = a.charged === true ? 'paid' : a.charged === 'unknown' ? 'checking'
    : [402, 410].includes(a.status) ? 'not paid' : order.state;
  if (unpaid.includes(order.state)) order.state = told;
  res.json(order);
});
app.get('/gave-up', find, async ({ order }, res) => {
  const { userId, roomId } = order;
  const a = await call('/removePaymentInQueue', GATEWAY, { userId, roomId });
  if (a.status === 200 && order.state === 'paying') order.state = 'cancelled';
  res.json(order);
});
const raw = express.raw({ type: 'application/json' });
const hook = (path, secret, work) => app.post(path, raw, async (req, res) => {
  try {
    var m = new Webhook(secret).verify(req.body, req.headers);
  } catch { return res.sendStatus(401); }
  res.sendStatus(await work(m.type, m.data));
});
hook('/hooks/reservation', RESERVATION_WEBHOOK, async (type, { tid, userId, roomId, ...data }) => {
  if (type === 'payment.refunded' && data.state === 'refunded') calendar.delete(tid);
  if (type !== 'payment.approved') return 204;
  calendar.set(tid, data.reservationInfo);
  const a = await call('/removePaymentInQueue', RESERVATION, { userId, roomId, tid });
  return a.status === 200 ? 204 : 500;
});
hook('/hooks/gateway', GATEWAY_WEBHOOK, async (type, data) => {
  const order = orders.get(data.partner_order_id) ?? {}, open = unpaid.includes(order.state);
  if (type === 'payment.refunded') order.state = data.state;
  if (type === 'queue.removed' && (open || order.state === 'paid')) order.state = 'booked';
  if (type === 'payment.resolved' && open) order.state = data.charged ? 'paid' : 'not paid';
  return 204;
});
app.get('/state', find, ({ order }, res) => res.json({ ...order, calendar: [...calendar] }));
app.listen(new URL(SITE).port, '127.0.0.1');
