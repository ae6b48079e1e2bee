// What is owed to the other services, and one message with every try.
import { get } from './api.js';
import { retry, retryAll, test } from './actions.js';
import { facts, h, section, table } from './dom.js';
import { distance, time } from './format.js';
import {
  filled,
  growing,
  head,
  maybeTime,
  messageLink,
  messageTag,
  mono,
  paymentLink,
  peerName,
  typeName,
  whole,
} from './parts.js';
import { messageState, triesTable } from './view_story.js';

const PEERS = ['reservation', 'gateway'];
const STATES = ['new', 'again', 'waiting', 'undelivered'];

function filter({ w, query, go }) {
  const choose = (name, label, values, words) => {
    const e = h(
      'select',
      {
        'data-key': name,
        onchange: () => {
          const next = Object.entries({ ...query, [name]: e.value }).filter(([, v]) => v);
          go(`#/messages?${new URLSearchParams(next)}`);
        },
      },
      h('option', { value: '' }, w.messages.any),
      values.map((v) => h('option', { value: v, selected: query[name] === v }, words[v])),
    );
    return h('label', null, label, e);
  };
  return [
    choose('peer', w.messages.peer, PEERS, w.peers),
    choose('state', w.messages.state, STATES, w.messageStates),
  ];
}

function buttons(context) {
  const { w, me } = context;
  if (me.role !== 'operator') return null;
  const button = (name, what) =>
    h('button', { type: 'button', 'data-key': name, onclick: what }, name);
  return h(
    'div',
    { class: 'buttons' },
    button(w.messages.retryAll, () => retryAll(PEERS, context)),
    PEERS.map((peer) => button(w.messages.testTo(w.peers[peer]), () => test(peer, context))),
  );
}

function listed(list, w) {
  if (list.length === 0) return h('p', { class: 'empty' }, w.messages.none);
  const t = w.messages;
  return table(
    t.list,
    [
      { name: t.type, cell: (m) => messageLink(m.id, typeName(m.type, w)) },
      { name: t.peer, cell: (m) => peerName(m.peer, w) },
      { name: t.state, cell: (m) => messageTag(m.state, w) },
      { name: t.tries, class: 'num', cell: (m) => m.tries },
      {
        name: t.since,
        cell: (m) => [
          time(m.owedSince),
          ' ',
          h('span', { class: 'small soft' }, distance(m.owedSince, w.lang)),
        ],
      },
      { name: t.next, cell: (m) => maybeTime(m.nextTryAt) },
      { name: t.payment, cell: (m) => (m.tid ? paymentLink(m.tid) : '–') },
    ],
    list,
  );
}

export async function messages(context) {
  const { w, query, say } = context;
  const ask = async (cursor) => {
    const page = await get('deliveries', { ...query, cursor, limit: 50 });
    return { items: page.messages, next: page.next };
  };
  const first = await filled(ask);
  const list = growing({
    first,
    ask,
    draw: (items) => listed(items, w),
    w,
    say: (n) => say(w.messages.count(n)),
  });
  return {
    title: w.views.messages,
    nodes: [
      head(w.views.messages, w.messages.lead, filter(context)),
      buttons(context),
      h('section', { 'aria-label': w.messages.list, class: 'below' }, list),
    ],
  };
}

export async function message(context) {
  const { w, me, params } = context,
    t = w.story;
  const m = whole(await get(`deliveries/${encodeURIComponent(params[0] ?? '')}`));
  const name = typeName(m.type, w);
  const act =
    me.role === 'operator' &&
    h(
      'button',
      { type: 'button', class: 'main', 'data-key': 'retry', onclick: () => retry(m, context) },
      w.act.retry,
    );
  const again = h(
    'button',
    { type: 'button', 'data-key': 'reload', onclick: context.reload },
    w.reload,
  );
  return {
    title: `${w.views.messages}: ${name}`,
    nodes: [
      head(name, mono(m.id), again, act),
      section(
        'about',
        w.views.messages,
        facts([
          [w.messages.state, messageTag(messageState(m), w)],
          [w.messages.peer, peerName(m.peer, w)],
          [w.messages.payment, m.tid && paymentLink(m.tid)],
          [t.since, m.owedSince && time(m.owedSince)],
          [t.lastTry, m.lastTryAt && time(m.lastTryAt)],
          [t.nextTry, m.nextTryAt && time(m.nextTryAt)],
        ]),
      ),
      section('tries', t.tries(m.attempts.length), triesTable(m, w)),
      m.body &&
        section('body', t.body, h('pre', { tabindex: '0' }, JSON.stringify(m.body, null, 2))),
    ],
  };
}
