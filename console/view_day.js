// The close of a day: what it brought, whether KakaoPay says the same, and the files of it.
import { csv, get } from './api.js';
import { download, h, section, table } from './dom.js';
import { dayFrom, money } from './format.js';
import { failure, head, maybeMoney, paymentLink } from './parts.js';

const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text ?? '');
const shift = (day, n) =>
  new Date(Date.parse(`${day}T12:00Z`) + n * 86_400_000).toISOString().slice(0, 10);

function chooser({ w, go }, day) {
  const field = h('input', {
    type: 'date',
    value: day,
    max: dayFrom(),
    required: true,
    'data-key': 'day',
  });
  const submit = (e) => {
    e.preventDefault();
    go(`#/day/${field.value}`);
  };
  return h(
    'form',
    { class: 'buttons', onsubmit: submit },
    h(
      'a',
      { class: 'button', href: `#/day/${shift(day, -1)}`, 'data-key': 'before' },
      w.day.before,
    ),
    h('label', null, h('span', { class: 'unseen' }, w.day.day), field),
    h('button', { 'data-key': 'show' }, w.day.show),
    day < dayFrom() &&
      h('a', { class: 'button', href: `#/day/${shift(day, 1)}`, 'data-key': 'after' }, w.day.after),
  );
}

const SUMS = ['captures', 'captured', 'refunds', 'refunded', 'net'];

/** The pieces of a day added up, by merchant. */
async function settled(day) {
  const merchants = new Map();
  let cursor;
  do {
    const piece = await get('settlement', { day, cursor });
    for (const m of piece.merchants) {
      const sum = merchants.get(m.cid) ?? {
        cid: m.cid,
        captures: 0,
        captured: 0,
        refunds: 0,
        refunded: 0,
        net: 0,
      };
      for (const name of SUMS) sum[name] += m[name];
      merchants.set(m.cid, sum);
    }
    cursor = piece.next ?? undefined;
  } while (cursor);
  return [...merchants.values()].sort((a, b) => (a.cid < b.cid ? -1 : 1));
}

function settlement(list, w) {
  const t = w.day,
    won = (name) => (row) => money(row[name], w.lang);
  const sum = { cid: t.sum };
  for (const name of SUMS) sum[name] = list.reduce((all, m) => all + m[name], 0);
  const rows = list.length > 1 ? [...list, sum] : list;
  const made = table(
    t.settlement,
    [
      { name: t.merchant, cell: (m) => m.cid },
      { name: t.captures, class: 'num', cell: (m) => m.captures },
      { name: t.captured, class: 'num', cell: won('captured') },
      { name: t.refunds, class: 'num', cell: (m) => m.refunds },
      { name: t.refunded, class: 'num', cell: won('refunded') },
      { name: t.net, class: 'num', cell: won('net') },
    ],
    rows,
  );
  if (list.length > 1) made.querySelector('tbody tr:last-child').className = 'sum';
  return made;
}

function differences(list, w) {
  const t = w.day;
  return table(
    t.list,
    [
      {
        name: t.what,
        cell: (d) => h('span', { class: 'tag bad' }, t.differences[d.difference] ?? d.difference),
      },
      { name: t.payment, cell: (d) => paymentLink(d.tid) },
      { name: t.kakao, class: 'any', cell: (d) => d.status ?? '–' },
      { name: t.total, class: 'num', cell: (d) => maybeMoney(d.total, w) },
      { name: t.ours, class: 'num', cell: (d) => maybeMoney(d.refunded, w) },
      { name: t.theirs, class: 'num', cell: (d) => maybeMoney(d.canceled, w) },
      { name: t.advice, cell: (d) => d.advice },
    ],
    list,
  );
}

/** Piece by piece, with what is done so far; a press on stop keeps what was found. */
function reconcile(day, { w, say, isShown }) {
  const t = w.day,
    place = h('div', null);
  const start = h('button', { type: 'button', class: 'main', onclick: run }, t.start);
  const buttons = h('div', { class: 'buttons' }, start);
  let stopped = false;
  const stop = h(
    'button',
    {
      type: 'button',
      onclick: () => {
        stopped = true;
      },
    },
    t.stop,
  );

  function result(found, text) {
    const tone = found.length > 0 ? 'bad' : 'ok';
    place.replaceChildren(
      h('p', { class: `answer ${tone}` }, text),
      (found.length > 0 && differences(found, w)) || '',
    );
    buttons.replaceChildren(start);
    start.focus({ preventScroll: true });
    say(text);
  }

  async function pieces(found, bar, count) {
    let cursor;
    do {
      const piece = await get('reconcile', { day, cursor });
      found.push(...piece.differences);
      bar.max = Math.max(piece.all, 1);
      bar.value = piece.done;
      count.textContent = t.progress(piece.done, piece.all);
      cursor = piece.next ?? undefined;
    } while (cursor && !stopped && isShown());
    return cursor === undefined;
  }

  async function run() {
    const found = [],
      bar = h('progress', { 'aria-label': t.reconcile }),
      count = h('p', { class: 'small soft' });
    stopped = false;
    place.replaceChildren(bar, count);
    buttons.replaceChildren(stop);
    stop.focus({ preventScroll: true });
    try {
      const whole = await pieces(found, bar, count);
      if (!isShown()) return;
      const text = found.length > 0 ? t.differ(found.length) : t.equal;
      result(found, `${text} ${whole ? count.textContent : t.stopped}`);
    } catch (e) {
      place.replaceChildren(failure(e, w, run));
      buttons.replaceChildren();
    }
  }
  return section(
    'reconcile',
    t.reconcile,
    h('p', { class: 'soft small' }, t.reconcileHint),
    place,
    buttons,
  );
}

function files(day, w) {
  const wrong = h('div');
  const button = (name) => {
    async function keep() {
      e.disabled = true;
      wrong.replaceChildren();
      try {
        download(
          `${name}-${day}.csv`,
          'text/csv',
          await csv(name, { day, ...(name !== 'settlement' && { limit: 100 }) }),
        );
      } catch (error) {
        wrong.replaceChildren(failure(error, w, keep));
      } finally {
        e.disabled = false;
      }
    }
    const e = h('button', { type: 'button', onclick: keep }, w.day.csv[name]);
    return e;
  };
  return [
    h(
      'div',
      { class: 'buttons', role: 'group', 'aria-label': w.day.files },
      ['settlement', 'payments', 'refunds'].map(button),
    ),
    wrong,
  ];
}

export async function day(context) {
  const { w, params } = context,
    chosen = isDay(params[0]) ? params[0] : dayFrom();
  const list = await settled(chosen);
  return {
    title: `${w.views.day} ${chosen}`,
    nodes: [
      head(w.views.day, `${chosen} (KST)`, chooser(context, chosen)),
      section(
        'settlement',
        w.day.settlement,
        list.length === 0 ? h('p', { class: 'empty' }, w.day.none) : settlement(list, w),
        files(chosen, w),
      ),
      reconcile(chosen, context),
    ],
  };
}
