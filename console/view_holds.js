// The times that are held: a line a day for each room, and the same as a list.
import { all } from './api.js';
import { h, section, table } from './dom.js';
import { clock, hhmm, interval, korean, minutesOf } from './format.js';
import { head, mono, storyLink, tag, tone } from './parts.js';

const SHOWN = ['ready', 'approving', 'unknown', 'review', 'approved', 'expired'];

function byRoom(list) {
  const rooms = new Map();
  for (const hold of list) {
    if (!rooms.has(hold.roomId)) rooms.set(hold.roomId, []);
    rooms.get(hold.roomId).push(hold);
  }
  return [...rooms].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The hours to draw: from the first to the last that is held, at least eight. */
function span(list, unit) {
  const all_ = list.flatMap((x) => x.intervals);
  const from = Math.min(...all_.map((i) => minutesOf(i.startTime, unit)));
  const to = Math.max(...all_.map((i) => minutesOf(i.endTime, unit)));
  const first = Math.max(0, Math.floor(Math.min(from, 9 * 60) / 60));
  const last = Math.min(24, Math.max(Math.ceil(to / 60), first + 8, 22));
  return { first: first * 60, last: last * 60 };
}

function block(hold, i, range, w, unit) {
  const [from, to] = [i.startTime, i.endTime].map((t) => minutesOf(t, unit));
  const words = `${hhmm(from)}–${hhmm(to)} ${w.states[hold.state] ?? hold.state}`;
  const e = storyLink(hold, words);
  e.className = tone(hold.state);
  e.title = `${interval(i, w, unit)} ${hold.userId}`;
  const share = (minutes) => `${(minutes / (range.last - range.first)) * 100}%`;
  e.style.left = share(from - range.first);
  e.style.width = share(to - from);
  return e;
}

function scale(range) {
  const marks = [];
  const step = range.last - range.first > 14 * 60 ? 6 : 3;
  for (let hour = Math.ceil(range.first / 60); hour * 60 <= range.last; hour++)
    if (hour % step === 0) marks.push(hour);
  return h(
    'div',
    { class: 'track', 'aria-hidden': 'true' },
    h('span'),
    h(
      'div',
      { class: 'scale' },
      marks.map((hour) => {
        const e = h('i', null, hour);
        e.style.left = `${((hour * 60 - range.first) / (range.last - range.first)) * 100}%`;
        return e;
      }),
    ),
  );
}

function week(list, w, unit) {
  const range = span(list, unit),
    today = new Date(`${korean(Date.now()).slice(0, 10)}T12:00Z`).getUTCDay();
  const days = Array.from({ length: 7 }, (_, n) => (today + n) % 7);
  const of = (day) =>
    list.flatMap((hold) =>
      hold.intervals.filter((i) => i.day % 7 === day).map((i) => block(hold, i, range, w, unit)),
    );
  return h(
    'div',
    { class: 'week' },
    scale(range),
    days.map((day) => {
      const blocks = of(day);
      return (
        blocks.length > 0 &&
        h(
          'div',
          { class: 'track', role: 'group', 'aria-label': w.days[day] },
          h('span', { 'aria-hidden': 'true' }, w.days[day]),
          h('div', { class: 'hours' }, blocks),
        )
      );
    }),
  );
}

function listed(list, w, unit) {
  return h(
    'details',
    null,
    h('summary', null, w.holds.list),
    table(
      w.holds.list,
      [
        {
          name: w.holds.time,
          cell: (x) => x.intervals.map((i) => h('div', null, interval(i, w, unit))),
        },
        { name: w.holds.state, cell: (x) => tag(x.state, w) },
        { name: w.holds.user, class: 'any', cell: (x) => x.userId },
        { name: w.holds.order, class: 'any', cell: (x) => storyLink(x, x.partner_order_id) },
        { name: w.holds.until, cell: (x) => (x.expiresAt ? clock(x.expiresAt) : '–') },
      ],
      list,
    ),
  );
}

function filter(w, roomId, go) {
  const field = h('input', {
    name: 'roomId',
    value: roomId ?? '',
    pattern: '[0-9A-Fa-f]{24}',
    title: w.payments.roomNot,
    autocomplete: 'off',
    spellcheck: 'false',
    'data-key': 'room',
  });
  const submit = (e) => {
    e.preventDefault();
    const value = field.value.trim();
    go(value ? `#/holds?roomId=${encodeURIComponent(value.toLowerCase())}` : '#/holds');
  };
  return h(
    'form',
    { onsubmit: submit, class: 'buttons', role: 'search' },
    h('label', null, w.holds.filter, field),
    h('button', { 'data-key': 'show' }, w.holds.show),
    roomId && h('a', { href: '#/holds' }, w.holds.all),
  );
}

export async function holds({ w, me, query, go }) {
  const { found, more } = await all('holds', 'holds', { roomId: query.roomId });
  const rooms = byRoom(found);
  const states = SHOWN.filter((s) => found.some((x) => x.state === s));
  return {
    title: w.views.holds,
    every: 5000,
    headline: `${w.views.holds}: ${found.length}`,
    nodes: [
      head(w.views.holds, w.holds.lead, filter(w, query.roomId, go)),
      found.length === 0 &&
        h('section', { 'aria-label': w.views.holds }, h('p', { class: 'empty' }, w.holds.none)),
      states.length > 0 &&
        h(
          'ul',
          { class: 'legend', 'aria-label': w.holds.legend },
          states.map((s) => h('li', null, tag(s, w))),
        ),
      more && h('p', { class: 'soft' }, w.tooMany),
      rooms.map(([room, list]) =>
        section(
          `room-${room}`,
          [
            w.holds.room(''),
            mono(room),
            ' ',
            h('span', { class: 'count' }, w.holds.count(list.length)),
          ],
          week(list, w, me.time_unit),
          listed(list, w, me.time_unit),
        ),
      ),
    ],
  };
}
