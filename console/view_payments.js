// The history, with a search.
import { csv, get } from './api.js';
import { download, h, table } from './dom.js';
import { money, time } from './format.js';
import { failure, filled, growing, head, maybeMoney, paymentLink, tag } from './parts.js';

const FIELDS = ['userId', 'partner_order_id', 'tid', 'roomId', 'cid'];
const STATES = ['approved', 'review', 'unbookable', 'refund_unknown', 'part_refunded', 'refunded'];

const nextDay = (day) =>
  new Date(Date.parse(`${day}T00:00Z`) + 86_400_000).toISOString().slice(0, 10);

/** What the address says, as the API takes it: days are Korean, and the last one counts. */
function filters(query) {
  const { from, to, state } = query,
    field = FIELDS.find((f) => query[f]);
  return {
    ...(field && { [field]: query[field] }),
    state,
    from: from && `${from}T00:00:00.000+09:00`,
    to: to && `${nextDay(to)}T00:00:00.000+09:00`,
  };
}

const option = (value, text, chosen) => h('option', { value, selected: value === chosen }, text);

function search({ w, query, go }) {
  const t = w.payments,
    now = FIELDS.find((f) => query[f]) ?? 'userId';
  const field = h(
    'select',
    { id: 'by' },
    FIELDS.map((f) => option(f, t.fields[f], now)),
  );
  const value = h('input', {
    id: 'value',
    value: query[now] ?? '',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  const from = h('input', { id: 'from', type: 'date', value: query.from ?? '' });
  const to = h('input', { id: 'to', type: 'date', value: query.to ?? '' });
  const state = h(
    'select',
    { id: 'state' },
    option('', t.anyState, query.state ?? ''),
    STATES.map((s) => option(s, w.states[s], query.state)),
  );
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  function submit(e) {
    e.preventDefault();
    const found = value.value.trim();
    wrong.textContent = '';
    if (from.value && to.value && to.value < from.value) {
      wrong.textContent = t.daysNot;
      return;
    }
    if (field.value === 'roomId' && found && !/^[0-9a-f]{24}$/i.test(found)) {
      wrong.textContent = t.roomNot;
      return;
    }
    if (field.value === 'tid' && found) {
      go(`#/payment/${encodeURIComponent(found)}`);
      return;
    }
    const all = { [field.value]: found, from: from.value, to: to.value, state: state.value };
    const some = Object.entries(all).filter(([, v]) => v);
    go(`#/payments?${new URLSearchParams(some)}`);
  }
  return h(
    'form',
    { onsubmit: submit, role: 'search', 'aria-label': t.search, class: 'card' },
    h(
      'div',
      { class: 'search' },
      h('label', null, t.by, field),
      h('label', null, t.value, value),
      h('label', null, t.from, from),
      h('label', null, t.to, to),
      h('label', null, t.state, state),
      h(
        'div',
        { class: 'go' },
        h('button', { class: 'main' }, t.search),
        Object.keys(query).length > 0 && h('a', { class: 'button', href: '#/payments' }, t.clear),
      ),
    ),
    wrong,
  );
}

export function paymentTable(list, w) {
  const t = w.payments;
  return table(
    t.list,
    [
      { name: t.approved, cell: (p) => time(p.approved_at) },
      { name: t.item, cell: (p) => paymentLink(p.tid, p.item_name || p.tid) },
      { name: t.user, class: 'any', cell: (p) => p.userId },
      { name: t.order, class: 'any', cell: (p) => p.partner_order_id },
      { name: t.method, cell: (p) => w.methods[p.payment_method_type] ?? p.payment_method_type },
      { name: t.amount, class: 'num', cell: (p) => money(p.amount.total, w.lang) },
      { name: t.refunded, class: 'num', cell: (p) => maybeMoney(p.refunded || undefined, w) },
      { name: t.state, cell: (p) => tag(p.state, w) },
    ],
    list,
  );
}

function csvButton(w, query) {
  const wrong = h('div');
  async function keep() {
    button.disabled = true;
    wrong.replaceChildren();
    try {
      download('payments.csv', 'text/csv', await csv('payments', { ...query, limit: 100 }));
    } catch (e) {
      wrong.replaceChildren(failure(e, w, keep));
    } finally {
      button.disabled = false;
    }
  }
  const button = h('button', { type: 'button', onclick: keep }, w.payments.csv);
  return { button, wrong };
}

export async function payments(context) {
  const { w, query, say } = context,
    wanted = filters(query);
  const ask = async (cursor) => {
    const page = await get('payments', { ...wanted, cursor, limit: 50 });
    return { items: page.payments, next: page.next };
  };
  const first = await filled(ask);
  const { button, wrong } = csvButton(w, wanted);
  const draw = (list) =>
    list.length === 0 ? h('p', { class: 'empty' }, w.payments.none) : paymentTable(list, w);
  const count = (n) => say(w.payments.count(n));
  if (Object.keys(query).length > 0) count(first.items.length);
  return {
    title: w.views.payments,
    nodes: [
      head(w.views.payments, null, button),
      search(context),
      wrong,
      h('section', { 'aria-label': w.payments.list }, growing({ first, ask, draw, w, say: count })),
    ],
  };
}
