// A payment service as roompay replaces it, in short: packets of JSON over TCP, a queue in memory,
// KakaoPay's legacy API, documents that Mongoose writes after the capture.
import net from 'node:net';
import readline from 'node:readline';
import mongoose from 'mongoose';

const env = process.env;
const Payment = mongoose.model('Payment', new mongoose.Schema({
  aid: String, tid: String, cid: String, partner_order_id: String, partner_user_id: String,
  userId: String, item_name: String, payment_method_type: String, quantity: Number,
  amount: { total: Number, tax_free: Number, vat: Number, point: Number, discount: Number },
  created_at: Date, approved_at: Date,
}), 'payments');
await mongoose.connect(env.MONGODB_URI, { dbName: env.DATABASE });

async function kakaopay(call, form) {
  const r = await fetch(`${env.SIM}/v1/payment/${call}`, {
    method: 'POST', headers: { authorization: `KakaoAK ${env.ADMIN_KEY}` },
    body: new URLSearchParams(form),
  });
  const answer = await r.json();
  if (!r.ok) throw new Error(answer.msg);
  return answer;
}

const queue = new Map();
setInterval(() => {
  for (const [key, { until }] of queue) if (until < Date.now()) queue.delete(key);
}, 60_000);

const QUERIES = {
  async inspectQueue({ userId, paymentInfo, reservationInfo }) {
    const room = reservationInfo.roomId, at = `${room}/${userId}`;
    const isTaken = [...queue.values()].some((q) => q.reservationInfo.roomId === room
      && q.reservationInfo.days.some((d, i) => reservationInfo.days.some((e, k) => d === e
        && q.reservationInfo.startTime[i] < reservationInfo.endTime[k]
        && reservationInfo.startTime[k] < q.reservationInfo.endTime[i])));
    if (isTaken) return { err: true, status: 200, msg: '다른 사용자가 결제 중입니다.' };
    const back = (page) => `${env.SITE}/${page}/${room}/${userId}`;
    const { tid, next_redirect_pc_url } = await kakaopay('ready', { ...paymentInfo,
      approval_url: back('approval'), cancel_url: back('cancel'), fail_url: back('fail') });
    queue.set(at, { tid, paymentInfo, reservationInfo, until: Date.now() + 600_000 });
    return { nextUrl: next_redirect_pc_url, status: 200 };
  },
  async approvePayment({ pg_token, userId, roomId }, packet) {
    const held = queue.get(`${roomId}/${userId}`);
    if (!held) throw Object.assign(new Error('결제 대기가 없습니다.'), { status: 404 });
    const { cid, partner_order_id, partner_user_id } = held.paymentInfo, { tid } = held;
    const form = { cid, tid, partner_order_id, partner_user_id, pg_token };
    await new Payment({ ...await kakaopay('approve', form), userId }).save();
    const params = { reservationInfo: held.reservationInfo, userId };
    send(reservation, { ...packet, headers: { ...packet.headers, method: 'REPLY',
      curQuery: 'approvePayment', nextQuery: 'addReservation', params } });
  },
  removeInQueue({ userId, roomId }) {
    const { reservationInfo, paymentInfo } = queue.get(`${roomId}/${userId}`);
    queue.delete(`${roomId}/${userId}`);
    return { reservationInfo, paymentInfo, status: 200 };
  },
};
QUERIES.removePaymentInQueue = QUERIES.removeInQueue;

const send = (socket, packet) => socket.write(JSON.stringify(packet) + '\n');
let gateway;
async function work(packet) {
  const { nextQuery, params } = packet.headers;
  let method = 'REPLY', body;
  try {
    body = await QUERIES[nextQuery](params, packet);
  } catch (e) {
    [method, body] = ['ERROR', { err: true, msg: e.message, status: e.status ?? 400 }];
  }
  const headers = { ...packet.headers, method, curQuery: nextQuery, nextQuery: 'apigateway' };
  if (body) send(gateway, { ...packet, headers, body });
}

const [host, port] = env.RESERVATION_SERVICE.split(':');
const reservation = net.connect({ host, port: Number(port) });
readline.createInterface({ input: reservation }).on('line', (line) => work(JSON.parse(line)));
net.createServer((socket) => {
  gateway = socket.on('error', () => {});
  readline.createInterface({ input: socket }).on('line', (line) => work(JSON.parse(line)));
}).listen(env.PORT, '127.0.0.1', () => console.log('ready'));
