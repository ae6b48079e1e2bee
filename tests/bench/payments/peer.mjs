// The peer that payments.py measures roompay against: what a booking site writes when it takes payments itself. Its queue is in
// memory, and one document for each payment is durable (w: majority, j: true). It loses its holds when it ends, charges twice
// after a crash, and tells nobody of what it does not know: it is a yardstick, not an example.
import http from "node:http";
import { MongoClient } from "mongodb";

const { PORT, MONGODB_URI, DATABASE, SIM, KEY } = process.env;
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const held = new Map(); // roomId -> userId -> hold
const store = new MongoClient(MONGODB_URI);
const payments = store.db(DATABASE).collection("peer_payments", { writeConcern: { w: "majority", j: true } });
await payments.createIndex({ tid: 1 }, { unique: true });

function body(stream) {
  return new Promise((done, fail) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => done(JSON.parse(Buffer.concat(parts))));
    stream.on("error", fail);
  });
}

function kakaopay(path, value) {
  return new Promise((done, fail) => {
    const text = JSON.stringify(value);
    const headers = { authorization: "SECRET_KEY " + KEY, "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const rq = http.request(SIM + path, { method: "POST", agent, headers }, (rs) => done(body(rs).then((b) => [rs.statusCode, b])));
    rq.on("error", fail);
    rq.end(text);
  });
}

const overlaps = (a, b) => a.day.some((d, i) => b.day.some((e, j) => d === e && a.startTime[i] < b.endTime[j] && b.startTime[j] < a.endTime[i]));

const routes = {
  "/payReady": async ({ userInfo, paymentInfo, reservationInfo }) => {
    const room = held.get(reservationInfo.roomId) ?? new Map();
    held.set(reservationInfo.roomId, room);
    for (const [user, hold] of room)
      if (user !== userInfo.userId && overlaps(hold.reservationInfo, reservationInfo)) return [409, { code: "slot-held" }];
    const hold = { paymentInfo, reservationInfo };
    room.set(userInfo.userId, hold);
    const [status, said] = await kakaopay("/online/v1/payment/ready", paymentInfo);
    if (status !== 200) room.delete(userInfo.userId);
    else hold.tid = said.tid;
    return [status, said];
  },
  "/approvePayment": async ({ userId, roomId, pg_token }) => {
    const hold = held.get(roomId)?.get(userId);
    if (hold === undefined) return [404, { code: "no-hold" }];
    const { cid, partner_order_id, partner_user_id } = hold.paymentInfo;
    const [status, said] = await kakaopay("/online/v1/payment/approve", { cid, tid: hold.tid, partner_order_id, partner_user_id, pg_token });
    if (status !== 200) return [status, said];
    await payments.insertOne({ ...said, userId, created_at: new Date(said.created_at), approved_at: new Date(said.approved_at) });
    return [200, { payment: said, reservationInfo: hold.reservationInfo }];
  },
  "/removePaymentInQueue": async ({ userId, roomId }) => [200, { removed: held.get(roomId)?.delete(userId) ?? false }],
};

http
  .createServer(async (rq, rs) => {
    const [status, value] = await body(rq)
      .then((b) => routes[rq.url](b))
      .catch((e) => [500, { detail: String(e) }]);
    rs.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  })
  .listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
