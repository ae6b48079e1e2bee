// One payment: what is true for the customer's money, what happened, and what can be done.
import { get } from './api.js';
import { refund, release, retry, settle } from './actions.js';
import { h, facts, section, table } from './dom.js';
import { clock, interval, korean, money, time } from './format.js';
import {
  head,
  link,
  messageLink,
  messageTag,
  mono,
  paymentLink,
  peerName,
  tag,
  tone,
  typeName,
  whole,
} from './parts.js';

const SETTLES = ['unknown', 'review', 'refund_unknown', 'approving'];
const REFUNDS = ['approved', 'unbookable', 'part_refunded'];
const RELEASES = ['ready', 'expired', 'approved', 'declined'];

const attemptOf = (story) =>
  story.attempts.find((a) => a.tid === story.tid) ?? story.attempts.at(-1);

function buttons(story, attempt, context) {
  const { w, me } = context;
  if (me.role !== 'operator') return h('p', { class: 'soft small acts' }, w.story.readOnly);
  const tid = story.tid ?? attempt?.tid,
    act = (name, what, kind) =>
      h('button', { type: 'button', class: kind, 'data-key': name, onclick: what }, w.act[name]);
  const some =
    tid === undefined
      ? []
      : [
          SETTLES.includes(story.state) && act('settle', () => settle(tid, context), 'main'),
          REFUNDS.includes(story.state) &&
            act('refund', () => refund(tid, story, context), 'careful'),
          story.hold &&
            RELEASES.includes(story.hold.state) &&
            act('release', () => release(tid, context)),
        ].filter(Boolean);
  return (
    some.length > 0 &&
    h('div', { class: 'buttons acts', role: 'group', 'aria-label': w.story.actions }, some)
  );
}

function summary(story, attempt, context) {
  const { w } = context,
    p = story.payment,
    a = attempt;
  const total = p?.amount.total;
  return h(
    'section',
    { 'aria-label': w.story.money },
    h(
      'div',
      { class: 'sum-up' },
      total !== undefined && money(total, w.lang),
      tag(story.state, w),
      h('span', { class: 'soft small' }, w.next[story.next] ?? story.next),
    ),
    a &&
      h(
        'div',
        { class: 'says' },
        h('p', null, a.happened),
        h('p', null, h('b', null, w.story.money), a.customer),
        h('p', null, h('b', null, w.story.todo), a.advice),
      ),
    buttons(story, attempt, context),
    a?.commands.length > 0 &&
      h(
        'details',
        null,
        h('summary', { class: 'small' }, w.story.shell),
        h('pre', null, a.commands.join('\n')),
      ),
  );
}

function about(story, attempt, context) {
  const { w, me } = context,
    t = w.story,
    p = story.payment,
    hold = story.hold;
  const amount = p?.amount ?? {},
    some = (won) => (won ? money(won, w.lang) : undefined);
  return section(
    'facts',
    t.facts,
    facts([
      [t.item, p?.item_name],
      [t.user, attempt?.userId ?? p?.userId],
      [t.order, story.partner_order_id],
      [t.tid, story.tid && mono(story.tid)],
      [t.cid, story.cid],
      [t.room, attempt?.roomId && link(`#/holds?roomId=${attempt.roomId}`, mono(attempt.roomId))],
      [t.method, p && (w.methods[p.payment_method_type] ?? p.payment_method_type)],
      [t.opened, p && time(p.created_at)],
      [t.approved, p && time(p.approved_at)],
      [t.amount, p && money(amount.total, w.lang)],
      [t.taxFree, some(amount.tax_free)],
      [t.vat, some(amount.vat)],
      [t.point, some(amount.point)],
      [t.discount, some(amount.discount)],
      [t.refunded, some(story.refunded)],
      [t.left, p && story.refunded > 0 && money(amount.total - story.refunded, w.lang)],
      [
        t.hold,
        hold && [
          tag(hold.state, w),
          ' ',
          hold.intervals.map((i) => interval(i, w, me.time_unit)).join(', '),
        ],
      ],
      [t.until, hold?.expiresAt && time(hold.expiresAt)],
    ]),
  );
}

const kakaoSaid = (p) =>
  [p.http && `HTTP ${p.http}`, p.code, p.method_code, p.message]
    .filter((x) => x !== undefined && x !== null)
    .join(' · ');

function event(e, w) {
  const t = w.story;
  const more = [
    e.who && `${t.who} ${e.who}`,
    `${t.by} ${e.by}`,
    e.reason && `${t.why}: ${e.reason}`,
    e.refund && `${t.money_back} ${e.refund.id}`,
    e.provider && `${t.kakao}: ${kakaoSaid(e.provider)}`,
    e.request_id && [`${w.requestId} `, mono(e.request_id)],
  ];
  const amount = e.refund
    ? money(e.refund.amount, w.lang)
    : e.payment && money(e.payment.amount.total, w.lang);
  return {
    at: e.at,
    tone: tone(e.kind),
    node: [
      h('p', null, e.happened, amount && ' ', amount),
      h(
        'div',
        { class: 'more' },
        more.filter(Boolean).map((m) => h('span', null, m)),
      ),
    ],
  };
}

function tried(message, one, w) {
  const words = w.story.tried(one.number, peerName(message.peer, w), typeName(message.type, w));
  const more = [one.status && `HTTP ${one.status}`, one.error].filter(Boolean);
  return {
    at: one.at,
    tone: tone(one.end),
    node: [
      h(
        'p',
        null,
        messageLink(message.id, words),
        ' ',
        h('span', { class: `tag ${tone(one.end)}` }, w.tries[one.end]),
      ),
      more.length > 0 &&
        h(
          'div',
          { class: 'more' },
          more.map((m) => h('span', null, m)),
        ),
    ],
  };
}

/** Events and tries in the order of their times; a date stands where it changes. */
function timeline(story, w) {
  const all = [
    ...story.events.map((e) => event(e, w)),
    ...story.deliveries.flatMap((m) => m.attempts.map((one) => tried(m, one, w))),
  ];
  all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const days = Map.groupBy ? Map.groupBy(all, (x) => korean(x.at).slice(0, 10)) : byDay(all);
  return section(
    'timeline',
    w.story.timeline,
    all.length === 0 && h('p', { class: 'empty' }, w.story.none),
    [...days].map(([day, list]) => [
      h('p', { class: 'day-of' }, day),
      h(
        'ol',
        { class: 'timeline' },
        list.map((x) =>
          h('li', { class: x.tone }, h('div', { class: 'when' }, clock(x.at)), x.node),
        ),
      ),
    ]),
  );
}

function byDay(all) {
  const days = new Map();
  for (const x of all) {
    const day = korean(x.at).slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), x]);
  }
  return days;
}

export function triesTable(message, w) {
  const t = w.story;
  if (message.attempts.length === 0) return h('p', { class: 'empty' }, t.noTries);
  return table(
    t.tries(message.attempts.length),
    [
      { name: t.number, class: 'num', cell: (a) => a.number },
      { name: t.at, cell: (a) => time(a.at) },
      { name: t.end, cell: (a) => h('span', { class: `tag ${tone(a.end)}` }, w.tries[a.end]) },
      { name: t.status, class: 'num', cell: (a) => a.status ?? '–' },
      {
        name: t.error,
        class: 'any',
        cell: (a) => [
          a.error ?? '–',
          a.notBefore && h('div', { class: 'small soft' }, t.notBefore, ' ', clock(a.notBefore)),
        ],
      },
    ],
    message.attempts,
  );
}

/** What has become of a message: owed ones say so, of the others the last try does. */
export const messageState = (m) => {
  if (m.owed) return m.state;
  const last = m.attempts.at(-1)?.end;
  return last === 'acknowledged' ? 'done' : 'gone';
};

function deliveries(story, context) {
  const { w, me } = context;
  const one = (m) =>
    h(
      'details',
      { open: m.owed && m.tries > 0 },
      h(
        'summary',
        null,
        `${typeName(m.type, w)} → ${peerName(m.peer, w)}`,
        ' ',
        messageTag(messageState(m), w),
      ),
      triesTable(m, w),
      h(
        'div',
        { class: 'buttons' },
        messageLink(m.id, w.today.details),
        me.role === 'operator' &&
          h(
            'button',
            {
              type: 'button',
              'data-key': `retry ${m.id}`,
              'aria-label': `${w.act.retry}: ${typeName(m.type, w)}`,
              onclick: () => retry(m, context),
            },
            w.act.retry,
          ),
      ),
    );
  return section(
    'deliveries',
    w.story.deliveries,
    story.deliveries.length === 0
      ? h('p', { class: 'empty' }, w.story.noDeliveries)
      : story.deliveries.map(one),
  );
}

function others(story, w) {
  const list = story.attempts.filter((a) => a.tid !== story.tid);
  return (
    list.length > 0 &&
    section(
      'attempts',
      w.story.attempts,
      h(
        'ul',
        { class: 'waits' },
        list.map((a) =>
          h(
            'li',
            null,
            h(
              'div',
              null,
              tag(a.state, w),
              ' ',
              a.tid ? paymentLink(a.tid) : w.holds.notYet,
              h('p', { class: 'small' }, a.happened),
            ),
            h('div', null, a.beganAt && time(a.beganAt)),
          ),
        ),
      ),
    )
  );
}

function shown(given, context) {
  const story = { ...given, deliveries: given.deliveries.map(whole) };
  const { w } = context,
    attempt = attemptOf(story);
  const again = h(
    'button',
    { type: 'button', 'data-key': 'reload', onclick: context.reload },
    w.reload,
  );
  const name = story.payment?.item_name ?? story.partner_order_id;
  return {
    title: `${w.story.title} ${name}`,
    nodes: [
      head(name, [`${w.story.title} `, mono(story.tid ?? '')], again),
      h(
        'div',
        { class: 'two' },
        h(
          'div',
          null,
          summary(story, attempt, context),
          timeline(story, w),
          deliveries(story, context),
        ),
        h('div', null, about(story, attempt, context), others(story, w)),
      ),
    ],
  };
}

export async function payment(context) {
  const tid = context.params[0] ?? '';
  return shown({ tid, ...(await get(`payments/${encodeURIComponent(tid)}`)) }, context);
}

export async function order(context) {
  const [cid, partner_order_id] = context.params;
  return shown(await get('orders', { cid, partner_order_id }), context);
}
