// The reservation service: owns the calendar. Paid times come as messages from roompay.
import express from 'express';
import { Webhook } from 'standardwebhooks';
import { Roompay } from '@roompay/client';

export function reservationService({ Reservation }, env) {
  const roompay = new Roompay({ base: env.BASE, token: env.RESERVATION });
  const webhook = new Webhook(env.RESERVATION_WEBHOOK);
  const routes = express.Router();

  async function add({ tid, userId, roomId, reservationInfo: { day, startTime, endTime } }) {
    if (day.length !== 1) return false;                // this site sells one interval at a time
    const times = { userId, roomId, day: day[0] % 7, start: startTime[0], end: endTime[0] };
    const { start, end } = times, overlaps = { start: { $lt: end }, end: { $gt: start } };
    const others = { _id: { $ne: tid }, roomId, day: times.day, ...overlaps };
    if (await Reservation.exists(others)) return false;
    // The same message may come again: it is one reservation, by its tid.
    await Reservation.updateOne({ _id: tid }, { $setOnInsert: times }, { upsert: true });
    return true;
  }

  const handlers = {
    async 'payment.approved'(data) {
      if (!(await add(data))) return 409;                     // roompay tells its operator
      const { userId, roomId, tid } = data;
      await roompay.removePaymentInQueue({ userId, roomId, tid });   // it is in: the hold may go
    },
    async 'payment.refunded'(data) {
      if (data.state === 'refunded') await Reservation.deleteOne({ _id: data.tid });
    },
  };

  // The signature covers the raw bytes: no express.json() before this.
  routes.post('/', express.raw({ type: 'application/json' }), async (req, res) => {
    let message;
    try {
      message = webhook.verify(req.body, req.headers);
    } catch {
      return res.sendStatus(401);
    }
    const status = await handlers[message.type]?.(message.data);      // an error: 500, again
    res.sendStatus(status ?? 204);
  });

  return { routes, booked: (roomId) => Reservation.find({ roomId }).lean() };
}
