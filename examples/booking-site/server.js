// A study-room site that takes payments through roompay. gateway.js and reservation.js are the
// parts to copy; this file has the pages, the session and the calendar's colours.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import express from 'express';
import { gatewayService } from './gateway.js';
import { connect } from './models.js';
import * as pages from './pages.js';
import { reservationService } from './reservation.js';
import { words } from './words.js';

const env = process.env;
const room = (id, ko, en, seats, price) => ({ id, name: { ko, en }, seats, price });
const ROOMS = [
  room('64f1c0ffee0123456789ab01', '느티나무방', 'Elm room', 4, 5500),
  room('64f1c0ffee0123456789ab02', '은행나무방', 'Ginkgo room', 6, 8000),
  room('64f1c0ffee0123456789ab03', '소나무방', 'Pine room', 10, 12000),
];
const HOURS = Array.from({ length: 13 }, (_, i) => i + 9);           // 09:00 to 21:00
const LAST = HOURS.at(-1) + 1;

const models = await connect(env);
const { Order, Payment } = models;
const gateway = gatewayService(models, env);
const reservation = reservationService(models, env);
const app = express();
app.disable('x-powered-by');

app.use((req, res, next) => {
  res.set({ 'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' });
  next();
});
app.use('/hooks/reservation', reservation.routes);
app.use('/hooks/gateway', gateway.hook);
app.use(express.static(new URL('public', import.meta.url).pathname));
app.use(express.urlencoded({ extended: false, limit: '4kb' }));

// --- who it is: a signed cookie stands in for the login of a real site
const key = env.SESSION_KEY ?? randomBytes(32);
const sign = (id) => createHmac('sha256', key).update(id).digest('base64url');
const isSigned = (id, given) => {
  const a = Buffer.from(sign(id)), b = Buffer.from(given ?? '');
  return a.length === b.length && timingSafeEqual(a, b);
};
app.use((req, res, next) => {
  const pairs = (req.headers.cookie ?? '').split('; ').map((c) => c.split('='));
  const cookies = Object.fromEntries(pairs);
  const [id, signature] = (cookies.user ?? '').split('.');
  req.userId = isSigned(id, signature) ? id : `u${randomBytes(8).toString('hex')}`;
  const kept = { httpOnly: true, sameSite: 'lax', maxAge: 30 * 86400_000 };
  if (req.userId !== id) res.cookie('user', `${req.userId}.${sign(req.userId)}`, kept);
  const asked = req.acceptsLanguages('ko', 'en') || 'ko';
  const lang = words[cookies.lang] ? cookies.lang : asked;
  req.c = { lang, w: words[lang], path: req.originalUrl };
  next();
});
// Another site may not press our buttons.
app.post(/.*/, (req, res, next) => {
  const origin = req.headers.origin;
  if (origin === undefined || origin === env.SITE_URL) return next();
  res.sendStatus(403);
});

app.post('/language', (req, res) => {
  if (words[req.body.lang]) res.cookie('lang', req.body.lang, { sameSite: 'lax' });
  const to = String(req.body.to ?? '/');
  res.redirect(303, /^\/(?![/\\])/.test(to) ? to : '/');
});

// --- the calendar
const roomOf = (id) => ROOMS.find((r) => r.id === id);

const korea = (ms = 0) => new Date(Date.now() + ms + 9 * 3600_000);
const isPast = (day, hour) => day === korea().getUTCDay() && hour <= korea().getUTCHours();

function week() {
  return Array.from({ length: 7 }, (_, i) => {
    const d = korea(i * 86400_000);
    return { day: d.getUTCDay(), date: `${d.getUTCMonth() + 1}.${d.getUTCDate()}`, today: i === 0 };
  });
}

async function gridOf(req, room) {
  const states = new Map();
  const mark = (day, start, end, state) => {
    for (let hour = Math.floor(start); hour < end; hour++) states.set(`${day % 7}-${hour}`, state);
  };
  const [held, booked] = await Promise.all([
    gateway.held(room.id).catch(() => []), reservation.booked(room.id)]);
  for (const hour of HOURS)
    for (const { day } of week()) if (isPast(day, hour)) mark(day, hour, hour + 1, 'past');
  for (const h of held) mark(h.day, h.startTime, h.endTime, 'held');
  for (const b of booked) mark(b.day, b.start, b.end, b.userId === req.userId ? 'mine' : 'sold');
  return pages.grid(req.c, HOURS, week(), states);
}

const send = (res, page, status = 200) => res.status(status).type('html').send(String(page));

app.get('/', async (req, res) => {
  const room = roomOf(req.query.room) ?? ROOMS[0];
  send(res, pages.calendar(req.c, ROOMS, room, await gridOf(req, room), req.query.taken));
});

app.get('/grid', async (req, res) => {
  const room = roomOf(req.query.room);
  if (room) send(res.set('Cache-Control', 'no-store'), await gridOf(req, room));
  else res.sendStatus(404);
});

app.post('/book', async (req, res) => {
  const room = roomOf(req.body.room);
  const [day, start, hours = 1] = String(req.body.slot).split('-').map(Number);
  const end = start + hours;
  if (!room || !(day in req.c.w.days) || !HOURS.includes(start) || !(hours >= 1 && end <= LAST)
      || !Number.isInteger(hours) || isPast(day, start)) return res.redirect(303, '/?taken=past');
  const taken = (code) => res.redirect(303, `/?room=${room.id}&taken=${code}`);
  const booked = await reservation.booked(room.id);
  const overlaps = (b) => b.day === day && b.start < end && start < b.end;
  if (booked.some(overlaps)) return taken('slot-sold');
  const item = `${room.name.ko} ${req.c.w.hour(hours)}`;
  const a = await gateway.book({ userId: req.userId, room, day, start, end, item });
  if (a.taken) return taken(a.taken);
  const isPhone = /Mobi/.test(req.headers['user-agent'] ?? '');
  res.redirect(303, isPhone ? a.redirect.mobile : a.redirect.pc);
});

// --- orders: only their owner sees them
async function own(req, res, next) {
  const id = String(req.params.id ?? req.query.order);
  req.order = await Order.findOne({ _id: id, userId: req.userId });
  if (req.order) next();
  else send(res, pages.notFound(req.c), 404);
}
const toOrder = (req, res) => res.redirect(303, `/orders/${req.order.id}`);

app.get('/pay/ok', own, async (req, res) => {
  await gateway.approve(req.order, String(req.query.pg_token));
  toOrder(req, res);
});
app.get(['/pay/cancel', '/pay/fail'], own, async (req, res) => {
  await gateway.giveUp(req.order);
  toOrder(req, res);
});
app.post('/orders/:id/stop', own, async (req, res) => {
  await gateway.giveUp(req.order);
  toOrder(req, res);
});
app.post('/orders/:id/refund', own, async (req, res) => {
  await gateway.refund(req.order);
  toOrder(req, res);
});

app.get('/orders/:id', own, async (req, res) => {
  if (['paying', 'checking'].includes(req.order.state)) await gateway.look(req.order);
  const order = await Order.findById(req.order.id);
  const payment = order.tid ? await Payment.findOne({ tid: order.tid }) : null;
  res.set('Cache-Control', 'no-store');
  send(res, pages.orderPage(req.c, order, roomOf(order.roomId), payment));
});

app.get('/me', async (req, res) => {
  const orders = await Order.find({ userId: req.userId }).sort({ createdAt: -1 }).limit(50);
  send(res, pages.me(req.c, orders.map((order) => ({ order, room: roomOf(order.roomId) }))));
});

app.use((req, res) => send(res, pages.notFound(req.c), 404));
app.use((err, req, res, next) => {
  console.error(`${req.method} ${req.path}:`, err);
  if (!res.headersSent) res.sendStatus(500);
});
const port = Number(env.SITE_PORT ?? new URL(env.SITE_URL).port);      // behind a proxy they differ
const server = app.listen(port, '127.0.0.1', () => console.log(`booking site: ${env.SITE_URL}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));    // requests end first
