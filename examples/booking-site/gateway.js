// The gateway: asks roompay for payments on behalf of the user, and learns what became of them.
import { randomUUID } from 'node:crypto';
import express from 'express';
import {
  HoldExpiredError, NoHoldError, OrderAlreadyPaidError, PaymentDeclinedError, ProblemError, Roompay,
  RoompayError, SlotHeldError, SlotSoldError, TooManyHoldsError, verifyWebhook,
} from '@roompay/client';

const CID = 'TC0ONETIME';
const OPEN = ['paying', 'checking'];              // no end is known yet
const UNPAID = [...OPEN, 'failed', 'cancelled'];  // a capture that is found late is a capture

export function gatewayService({ Order }, env) {
  const roompay = new Roompay({ base: env.BASE, token: env.GATEWAY });
  const refunds = new Roompay({ base: env.BASE, token: env.REFUND });

  /** Moves an order on, unless it has moved on already: messages and pages overtake each other. */
  const move = (id, from, to) => Order.updateOne({ _id: id, state: { $in: from } }, { $set: to });

  /** Opens a payment. Returns where to send the user, or what stands against it. */
  async function book({ userId, room, day, start, end, item }) {
    const id = `order-${randomUUID()}`, total = room.price * (end - start);
    await Order.create({ _id: id, userId, roomId: room.id, day, start, end, total });
    const back = (page) => `${env.SITE_URL}/pay/${page}?order=${id}`;
    try {
      const ready = await roompay.payReady({
        userInfo: { userId },
        paymentInfo: {
          cid: CID, partner_order_id: id, partner_user_id: userId, item_name: item, quantity: 1,
          total_amount: total, tax_free_amount: 0,
          approval_url: back('ok'), cancel_url: back('cancel'), fail_url: back('fail'),
        },
        reservationInfo: { day: [day], startTime: [start], endTime: [end], roomId: room.id },
      });
      const redirect = { pc: ready.next_redirect_pc_url, mobile: ready.next_redirect_mobile_url };
      await move(id, OPEN, { tid: ready.tid, redirect: redirect.pc });
      return { redirect };
    } catch (e) {
      await move(id, OPEN, { state: 'failed' });
      if (e instanceof SlotHeldError || e instanceof SlotSoldError) return { taken: e.code };
      if (e instanceof TooManyHoldsError) return { taken: e.code };
      if (e instanceof RoompayError) return { taken: 'unavailable' };
      throw e;
    }
  }

  /** The user came back with a pg_token. A reload does the same and gets the same answer. */
  async function approve(order, pg_token) {
    try {
      const { userId, roomId } = order;
      const a = await roompay.approvePayment({ pg_token, userId, roomId });
      if (a.charged === 'unknown') await move(order.id, OPEN, { state: 'checking' });
      else await move(order.id, UNPAID, { state: a.state === 'review' ? 'review' : 'paid' });
    } catch (e) {
      if (!(e instanceof RoompayError)) throw e;
      if (e instanceof PaymentDeclinedError || e instanceof HoldExpiredError)
        await move(order.id, OPEN, { state: 'failed' });
      else if (e instanceof NoHoldError || e.charged === false) await look(order);  // pay again
      else await move(order.id, OPEN, { state: 'checking' });
    }
  }

  /** The user gave up: others may have the time at once. */
  async function giveUp(order) {
    try {
      const { userId, roomId, tid } = order;
      await roompay.removePaymentInQueue({ userId, roomId, tid });
      await move(order.id, ['paying'], { state: 'cancelled' });
    } catch (e) {
      if (!(e instanceof RoompayError)) throw e;
      if (e instanceof OrderAlreadyPaidError) await move(order.id, UNPAID, { state: 'paid' });
      else if (e.charged !== false) await move(order.id, OPEN, { state: 'checking' });
    }
  }

  /** A closed tab, a crash, a message that is late: asks what became of the order. */
  async function look(order) {
    const now = await roompay.getOrder({ cid: CID, partner_order_id: order.id }).catch(() => null);
    if (now === null) return;                     // no answer: the next look may get one
    if (now.next === 'start-again') await move(order.id, OPEN, { state: 'failed' });
    else if (now.state === 'review') await move(order.id, UNPAID, { state: 'review' });
    else if (now.charged === true) await move(order.id, UNPAID, { state: 'paid' });
  }

  /** Everything goes back. The refundId is stored first, so that a repeat is the same refund. */
  async function refund(order) {
    const { tid, state } = order, refundId = `refund-${order.id}`, reason = '손님 요청';
    if (!['booked', 'paid', 'refunding'].includes(state)) return;
    await move(order.id, [state], { refundId, state: 'refunding' });
    try {
      const a = await refunds.cancelPayment({ tid, refundId, reason });
      if (a.refunded === true) await move(order.id, ['refunding'], { state: 'refunded' });
    } catch (e) {
      if (!(e instanceof RoompayError)) throw e;
      // A clear no: it is what it was. No answer: it may have gone back, and a message will tell.
      const isNo = e instanceof ProblemError && e.charged !== 'unknown';
      const was = state === 'refunding' ? 'booked' : state;
      if (isNo) await move(order.id, ['refunding'], { state: was });
    }
  }

  const PAID = [...UNPAID, 'paid', 'review'];     // with what the page does not know yet
  const handlers = {
    'queue.removed': (d) => move(d.partner_order_id, PAID, { state: 'booked', tid: d.tid }),
    'payment.resolved': ({ partner_order_id: id, tid, charged, state }) => charged
      ? move(id, UNPAID, { state: state === 'review' ? 'review' : 'paid', tid })
      : move(id, [...OPEN, 'review'], { state: 'failed' }),
    'payment.refunded': (d) => d.state === 'refunded'
      && move(d.partner_order_id, [...PAID, 'booked', 'refunding'], { state: 'refunded' }),
  };

  const hook = express.Router();
  hook.post('/', express.raw({ type: 'application/json' }), async (req, res) => {
    let message;
    try {
      message = verifyWebhook(req.body, req.headers, env.GATEWAY_WEBHOOK);
    } catch {
      return res.sendStatus(401);
    }
    await handlers[message.type]?.(message.data);
    res.sendStatus(204);
  });

  const held = (roomId) => roompay.listHeld({ roomId }, { retryFor: 0, timeout: 3000 });
  return { hook, book, approve, giveUp, look, refund, held };
}
