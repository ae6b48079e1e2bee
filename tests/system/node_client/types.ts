// Compiled, not run: what a site's developer writes, and mistakes that must not compile.
import { PaymentDeclinedError, ProblemError, Roompay, SlotHeldError, verifyWebhook } from '@roompay/client';
import type { Approved, Charged, Later, Message, ProblemCode, Ready } from '@roompay/client';

export async function pay(roompay: Roompay, pg_token: string): Promise<string> {
  const ready: Ready = await roompay.payReady({
    userInfo: { userId: 'jisoo' },
    paymentInfo: {
      cid: 'TC0ONETIME', partner_order_id: 'o-1', partner_user_id: 'm-1', item_name: '스터디룸', quantity: 1,
      total_amount: 11000, tax_free_amount: 0, approval_url: 'https://s.example/ok',
      cancel_url: 'https://s.example/cancel', fail_url: 'https://s.example/fail',
    },
    reservationInfo: { day: [6], startTime: [19], endTime: 21, roomId: '64f1c0ffee0123456789abcd', note: 'window' },
  });
  try {
    const a: Approved | Later = await roompay.approvePayment({ pg_token, userId: 'jisoo', roomId: ready.hold.roomId });
    if (a.charged === 'unknown') return a.tid;
    if (a.state === 'recording') return 'paid';
    return String(a.payment.amount.total);
  } catch (e) {
    if (e instanceof PaymentDeclinedError) return e.provider?.message ?? '';
    if (e instanceof SlotHeldError) return String(e.conflicts[0]?.startTime);
    if (e instanceof ProblemError) return e.code satisfies ProblemCode;
    throw e;
  }
}

export function take(m: Message): number {
  if (m.type === 'payment.refunded') return m.data.left;
  if (m.type === 'payment.resolved') return m.data.charged ? m.data.payment!.amount.total : 0;
  return 0;
}
take(verifyWebhook(new Uint8Array(), { 'webhook-id': ['a'] }, ['whsec_a', 'whsec_b']));

export const charged: Charged[] = [true, false, 'unknown'];
// @ts-expect-error there is no third word
export const wrong: Charged = 'maybe';
// @ts-expect-error no such code
export const code: ProblemCode = 'slot-hold';
// @ts-expect-error roomId is required
export const incomplete = (roompay: Roompay) => roompay.approvePayment({ pg_token: 'x', userId: 'u' });
// @ts-expect-error the raw bytes, not what express.json() made
export const parsed = () => verifyWebhook({ type: 'payment.approved' }, {}, 'whsec_a');
// @ts-expect-error an unknown member
export const unknownMember = (roompay: Roompay) => roompay.cancelPayment({ tid: 'T1', refundId: 'r', reason: 'x', amount: 1 });
