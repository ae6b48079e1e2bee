// One payment and one refund through the types of the generated schema.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.d.ts';

type Problem = components['schemas']['Problem'];
const env = process.env as Record<string, string>;
const as = (token: string) => createClient<paths>({
  baseUrl: env.BASE, headers: { Authorization: `Bearer ${token}` },
});
const gateway = as(env.GATEWAY), refunds = as(env.REFUND);

function need<T>(a: { data?: T; error?: Problem | string }): T {   // a text: the web server's own
  if (a.data !== undefined) return a.data;
  if (typeof a.error !== 'object') throw new Error(a.error);
  const charged: boolean | 'unknown' | undefined = a.error.charged;
  throw new Error(`${a.error.code}, charged ${charged}`);
}

const back = (page: string) => `http://127.0.0.1:1/${page}?order=${env.ORDER}`;
const ready = need(await gateway.POST('/payReady', { body: {
  userInfo: { userId: 'typescript' },
  paymentInfo: {
    cid: 'TC0ONETIME', partner_order_id: env.ORDER, partner_user_id: 'member-1',
    item_name: '스터디룸 2시간', quantity: 1, total_amount: 11000, tax_free_amount: 0,
    approval_url: back('ok'), cancel_url: back('cancel'), fail_url: back('fail'),
  },
  reservationInfo: { day: [6], startTime: [19], endTime: [21], roomId: env.ROOM },
} }));

const page = await fetch(`${env.SIM}/control/pay`, {
  method: 'POST', body: JSON.stringify({ tid: ready.tid }),
});
const { pg_token } = await page.json() as { pg_token: string };
const paid = need(await gateway.POST('/approvePayment', {
  body: { pg_token, userId: 'typescript', roomId: env.ROOM },
}));
if (paid.charged !== true || !('payment' in paid)) throw new Error(`charged ${paid.charged}`);
const total: number = paid.payment.amount.total;

const refund = need(await refunds.POST('/cancelPayment', {
  body: { tid: ready.tid, refundId: 'r-1', cancel_amount: 1000, reason: 'a test' },
}));
if (refund.refunded !== true) throw new Error(`refunded ${refund.refunded}`);
const order = need(await gateway.GET('/orders', {
  params: { query: { cid: 'TC0ONETIME', partner_order_id: env.ORDER } },
}));
if (order.state !== 'part_refunded' || refund.left !== total - 1000) throw new Error(order.state);
console.log(`typescript: ${order.state}, ${refund.left} won left`);
