// site.mjs: gateway and reservation service of a small booking site, in one process.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { Webhook } from 'standardwebhooks';

const env = process.env;
const orders = new Map();        // your database: order id -> what was ordered, its state
const calendar = new Map();      // your calendar: tid -> what is booked

// One call to roompay. Repeats the same call while the answer says that this is safe and useful.
async function roompay(path, token, body) {
  const end = Date.now() + 30_000;
  for (;;) {
    let seconds = 2, answer;
    try {
      const r = await fetch(env.BASE + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(20_000),
      });
      answer = { status: r.status, ...(await r.json()) };
      seconds = Number(r.headers.get('retry-after') ?? 2);
      const again = r.status === 202 || r.status === 503 || answer.code === 'payment-in-progress';
      if (!again) return answer;
    } catch {                    // no connection, a time-out, an answer of the web server's in HTML
      answer ??= { status: 0, code: 'no-answer' };
    }
    if (Date.now() + seconds * 1000 > end) return answer;
    await new Promise((wake) => setTimeout(wake, seconds * 1000));
  }
}

const app = express();

// 1. The user wants to pay.
app.post('/orders', express.json(), async (req, res) => {
  const id = `order-${randomUUID()}`;
  const order = { id, userId: req.body.userId, roomId: req.body.roomId, state: 'paying' };
  orders.set(id, order);
  const back = (page) => `${env.SITE}/pay/${page}?order=${id}`;
  const a = await roompay('/payReady', env.GATEWAY, {
    userInfo: { userId: order.userId },
    paymentInfo: {
      cid: 'TC0ONETIME', partner_order_id: id, partner_user_id: order.userId,
      item_name: '스터디룸 2시간', quantity: 1, total_amount: 11000, tax_free_amount: 0,
      approval_url: back('ok'), cancel_url: back('cancel'), fail_url: back('fail'),
    },
    reservationInfo: { ...req.body.times, roomId: order.roomId },
  });
  if (a.status === 200) res.json({ order: id, redirect: a.next_redirect_pc_url });
  else res.status(409).json({ code: a.code, conflicts: a.conflicts });
});

// 2. KakaoPay sends the user back with a pg_token: take the money.
app.get('/pay/ok', async (req, res) => {
  const order = orders.get(req.query.order);     // and check that it is this user's
  if (!order) return res.status(404).send('no such order');
  const a = await roompay('/approvePayment', env.GATEWAY,
    { pg_token: req.query.pg_token, userId: order.userId, roomId: order.roomId });
  const open = ['paying', 'checking'].includes(order.state);   // a reload changes nothing
  if (open && a.charged === true) order.state = 'paid';
  else if (open && (a.charged === 'unknown' || a.status === 0)) order.state = 'checking';
  else if (open && (a.status === 402 || a.status === 410)) order.state = 'failed';
  res.send(`order ${order.id}: ${order.state}`);
});

// 3. The user gave up, or the authentication failed: free the time at once.
app.get(['/pay/cancel', '/pay/fail'], async (req, res) => {
  const order = orders.get(req.query.order);
  if (!order) return res.status(404).send('no such order');
  const a = await roompay('/removePaymentInQueue', env.GATEWAY,
    { userId: order.userId, roomId: order.roomId });
  if (a.status === 200 && order.state === 'paying') order.state = 'cancelled';
  res.send(`order ${order.id}: ${order.state}`);
});

// 4. Webhooks. The signature covers the raw bytes: no express.json() before this.
function hook(path, secret, handle) {
  const webhook = new Webhook(secret);
  app.post(path, express.raw({ type: 'application/json' }), async (req, res) => {
    let message;
    try {
      message = webhook.verify(req.body, req.headers);
    } catch {
      return res.sendStatus(401);
    }
    res.sendStatus(await handle(message.type, message.data));
  });
}

hook('/hooks/reservation', env.RESERVATION_WEBHOOK, async (type, data) => {
  if (type === 'payment.approved') {
    if (!calendar.has(data.tid)) calendar.set(data.tid, data.reservationInfo);
    const { userId, roomId, tid } = data;        // it is in the calendar: the hold may go
    const a = await roompay('/removePaymentInQueue', env.RESERVATION, { userId, roomId, tid });
    return a.status === 200 ? 204 : 500;         // 500: the message comes again
  }
  if (type === 'payment.refunded' && data.state === 'refunded') calendar.delete(data.tid);
  return 204;
});

hook('/hooks/gateway', env.GATEWAY_WEBHOOK, async (type, data) => {
  const order = orders.get(data.partner_order_id);
  if (!order) return 204;
  // Messages may overtake each other: a refund that came first stays. A capture that is found late
  // corrects what the page has said.
  const refunded = ['refunded', 'part_refunded'].includes(order.state);
  if (type === 'queue.removed' && !refunded) order.state = 'booked';
  if (type === 'payment.resolved' && !refunded && order.state !== 'booked')
    order.state = data.charged ? 'paid' : 'failed';
  if (type === 'payment.refunded') order.state = data.state;
  return 204;
});

app.get('/orders/:id', (req, res) => res.json(orders.get(req.params.id) ?? null));
app.listen(Number(env.PORT ?? 3000), '127.0.0.1');
