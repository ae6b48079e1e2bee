// Today: can payments be taken, and what waits for somebody.
import { get } from './api.js';
import { h, section, table } from './dom.js';
import { clock, distance, korean, money } from './format.js';
import {
  head,
  maybeTime,
  messageLink,
  messageTag,
  paymentLink,
  peerName,
  storyLink,
  tag,
  typeName,
} from './parts.js';

function part(name, state, w, more) {
  const dot = h('span', {
    class: `dot ${state === 'ok' ? '' : state === 'unknown' ? 'wait' : 'bad'}`,
  });
  return h('li', null, dot, `${w.today.parts[name]}: ${w.today.are[state] ?? state}`, more);
}

function stateOf(s, w) {
  const looked = s.courierLookedAt && h('span', null, `(${distance(s.courierLookedAt, w.lang)})`);
  const title = s.ready ? w.today.open : w.today.shut;
  return h(
    'section',
    { class: `state ${s.ready ? '' : 'bad'}`, 'aria-labelledby': 'can-pay' },
    h('h2', { id: 'can-pay' }, title),
    s.detail !== title && h('p', null, s.detail),
    s.fence && h('p', { class: 'small' }, `${w.today.fence}: ${s.fence}`),
    h(
      'ul',
      { class: 'parts' },
      part('store', s.store, w),
      part('queue', s.queue, w),
      part('courier', s.courier, w, looked),
      s.members && h('li', null, `${w.today.parts.members}: ${s.members}`),
      h('li', null, `${w.today.parts.version} ${s.version}`),
    ),
  );
}

function tile(href, name, count, below) {
  const more = below && h('span', null, below);
  return h(
    'a',
    { class: 'tile', href, 'data-key': href + name },
    h('span', null, name),
    h('b', null, count ?? '–'),
    more,
  );
}

function tiles(s, w) {
  const holds = Object.entries(s.holds ?? {}).filter(([, n]) => n > 0);
  const held = holds.reduce((sum, [, n]) => sum + n, 0);
  const since = (iso) => iso && w.today.since(distance(iso, w.lang));
  return h(
    'div',
    { class: 'tiles' },
    tile(
      '#/holds',
      w.today.held,
      s.holds && held,
      holds.map(([state, n]) => `${w.states[state] ?? state} ${n}`).join(' · '),
    ),
    tile('#/payments', w.today.open_work, s.openWork, since(s.oldestWorkAt)),
    tile('#/messages', w.today.owed, s.messagesOwed, since(s.oldestMessageAt)),
  );
}

function waits(p, w) {
  return h(
    'li',
    null,
    h(
      'div',
      null,
      tag(p.state, w),
      ' ',
      storyLink(p, p.partner_order_id),
      h('p', null, p.happened),
      h('p', { class: 'soft small' }, p.customer),
    ),
    h(
      'div',
      null,
      p.total !== undefined && money(p.total, w.lang),
      h('p', { class: 'soft small' }, distance(p.since, w.lang)),
    ),
  );
}

function late(list, w) {
  return table(
    w.today.messages,
    [
      { name: w.messages.type, cell: (m) => messageLink(m.id, typeName(m.type, w)) },
      { name: w.messages.peer, cell: (m) => peerName(m.peer, w) },
      { name: w.messages.state, cell: (m) => messageTag(m.state, w) },
      { name: w.messages.tries, class: 'num', cell: (m) => m.tries },
      { name: w.messages.since, cell: (m) => distance(m.owedSince, w.lang) },
      { name: w.messages.next, cell: (m) => (m.nextTryAt ? clock(m.nextTryAt) : maybeTime()) },
      { name: w.messages.payment, cell: (m) => (m.tid ? paymentLink(m.tid) : '–') },
    ],
    list,
  );
}

const counted = (text, n) => [text, ' ', h('span', { class: 'count' }, n)];

export async function today({ w, reload }) {
  const [s, waiting] = await Promise.all([get('status'), get('waiting')]);
  const { payments, messages, more } = waiting;
  const now = w.seen(korean(Date.now()).slice(11));
  const again = h('button', { type: 'button', 'data-key': 'reload', onclick: reload }, w.reload);
  const counts = `${w.today.money} ${payments.length}, ${w.today.messages} ${messages.length}`;
  return {
    title: w.views.today,
    every: 5000,
    headline: `${s.ready ? w.today.open : w.today.shut}. ${counts}`,
    nodes: [
      head(w.views.today, now, again),
      stateOf(s, w),
      tiles(s, w),
      section(
        'waits',
        counted(w.today.money, payments.length),
        payments.length > 0 && h('p', { class: 'soft small' }, w.today.moneyHint),
        payments.length > 0
          ? h(
              'ul',
              { class: 'waits' },
              payments.map((p) => waits(p, w)),
            )
          : h('p', { class: 'empty' }, w.today.noMoney),
      ),
      section(
        'late',
        counted(w.today.messages, messages.length),
        messages.length > 0
          ? [h('p', { class: 'soft small' }, w.today.messagesHint), late(messages, w)]
          : h('p', { class: 'empty' }, w.today.noMessages),
      ),
      more && h('p', { class: 'soft' }, w.tooMany),
    ],
  };
}
