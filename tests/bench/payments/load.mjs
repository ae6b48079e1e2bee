// Buyers, and the booking site's two services: each buyer pays again and again: payReady, the press on pay, approvePayment. The
// reservation service calls removePaymentInQueue: when the message comes where there are messages (HOOK_PORT), else at once.
// ALONE: one buyer, and each query has the machine for itself; the time of a payment is that of its three queries.
// Begins with two seconds that do not count, in which everybody opens their connections; then prints a line and waits for one.
// Prints one line of JSON at the end.
import http from "node:http";

const { BASE, SIM, HOOK_PORT, GATEWAY, RESERVATION, CLIENTS, SECONDS, ALONE } = process.env;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1024 });
const run = Date.now().toString(36);
const owed = new Map(); // tid -> when the payment was answered, until the gateway has heard of its removal
const times = { pay: [], first: [] };
let paid = 0, number = 0, wrong = 0;

function read(stream) {
  return new Promise((done, fail) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => done(Buffer.concat(parts)));
    stream.on("error", fail);
  });
}

function post(url, token, value) {
  return new Promise((done, fail) => {
    const text = JSON.stringify(value);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text), authorization: "Bearer " + token };
    const rq = http.request(url, { method: "POST", agent, headers }, async (rs) => done({ status: rs.statusCode, body: JSON.parse(await read(rs)) }));
    rq.on("error", fail);
    rq.end(text);
  });
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function must(url, token, value) {
  for (;;) {
    const a = await post(url, token, value);
    if (a.status === 200) return a.body;
    wrong++;
    if (a.status < 500 && a.status !== 409 && a.status !== 429) throw new Error(url + ": " + JSON.stringify(a));
    await pause(20);
  }
}

function booking(n) {
  const hex = (x) => (run + x).split("").map((c) => c.charCodeAt(0).toString(16)).join("").slice(-24).padStart(24, "0");
  return {
    userInfo: { kakaoAccessToken: "t", userId: "u" + run + n },
    paymentInfo: {
      cid: "TC0ONETIME", partner_order_id: run + "-" + n, partner_user_id: "p" + n, item_name: "room", quantity: 1, total_amount: 11000,
      tax_free_amount: 0, approval_url: "https://site.example/ok", cancel_url: "https://site.example/no", fail_url: "https://site.example/bad",
    },
    reservationInfo: { day: [1], startTime: [10], endTime: [12], roomId: hex(n) },
  };
}

const ask = (path, token, value) => must(BASE + path, token, value);

// query: how roompay is asked.
async function pay(query) {
  const b = booking(number++);
  const who = { userId: b.userInfo.userId, roomId: b.reservationInfo.roomId };
  const { tid } = await query("/payReady", GATEWAY, b);
  const { pg_token } = await must(SIM + "/control/pay", "", { tid });
  await query("/approvePayment", GATEWAY, { ...who, pg_token });
  paid++;
  return { ...who, tid };
}

async function payOnce() {
  const began = performance.now();
  const { tid, ...who } = await pay(ask);
  times.pay.push(performance.now() - began);
  if (!HOOK_PORT) await ask("/removePaymentInQueue", RESERVATION, who);
  else if (!early.delete(tid)) owed.set(tid, performance.now());
}

// Until the message came, and the courier has written down that it did.
async function quiet(tid, of) {
  while (HOOK_PORT && !of.has(tid)) await pause(1);
  await pause(10);
}

async function payAlone() {
  let spent = 0;
  const query = async (...what) => {
    const began = performance.now();
    const said = await ask(...what);
    spent += performance.now() - began;
    return said;
  };
  const order = await pay(query);
  await quiet(order.tid, heard);
  await query("/removePaymentInQueue", RESERVATION, order);
  await quiet(order.tid, done);
  times.pay.push(spent);
}

const early = new Set(); // the message came before the answer
const heard = new Set();
const done = new Set();

async function hear(message) {
  const { tid, userId, roomId } = message.data;
  if (message.type === "payment.approved" && !heard.has(tid)) {
    heard.add(tid);
    times.first.push(owed.has(tid) ? performance.now() - owed.get(tid) : 0);
    if (!owed.has(tid)) early.add(tid);
    if (!ALONE) await ask("/removePaymentInQueue", RESERVATION, { userId, roomId, tid });
  } else if (message.type === "queue.removed") {
    done.add(tid);
    owed.delete(tid);
  }
}

if (HOOK_PORT)
  http
    .createServer(async (rq, rs) => {
      const message = JSON.parse(await read(rq));
      rs.writeHead(204).end();
      hear(message).catch((e) => console.error(e));
    })
    .listen(Number(HOOK_PORT), "127.0.0.1");

async function payFor(seconds) {
  const end = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: Number(CLIENTS) }, async () => { while (performance.now() < end) await (ALONE ? payAlone() : payOnce()); }));
  return end;
}

async function hearAll(end) {
  while (HOOK_PORT && done.size < paid && performance.now() < end + 60000) await pause(10);
}

await hearAll(await payFor(2));
times.pay = [];
times.first = [];
paid = wrong = 0;
done.clear();
console.log("warm");
await new Promise((go) => process.stdin.once("data", go));
const began = performance.now();
const end = await payFor(Number(SECONDS));
const seconds = (performance.now() - began) / 1000;
await hearAll(end);
const drained = (performance.now() - began) / 1000 - seconds;
const at = (list, p) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * p))] ?? 0;
console.log(JSON.stringify({
  paid, seconds, rate: paid / seconds, again: wrong, p50_ms: at(times.pay, 0.5), p99_ms: at(times.pay, 0.99),
  first_p50_ms: at(times.first, 0.5), first_p99_ms: at(times.first, 0.99), drained_s: drained, unheard: HOOK_PORT ? paid - done.size : 0,
}));
process.exit(0);
