// The pages, as templates that escape whatever is put into them.
class Html extends String {}
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const text = (v) => {
  if (v instanceof Html) return v;
  if (Array.isArray(v)) return v.map(text).join('');
  if (v === null || v === undefined || v === false) return '';
  return String(v).replace(/[&<>"']/g, (c) => escapes[c]);
};
export const html = (parts, ...values) =>
  new Html(parts.reduce((all, part, i) => all + text(values[i - 1]) + part));

const hh = (hour) => `${String(hour).padStart(2, '0')}:00`;
export const timeOf = (w, o) => `${w.days[o.day]} ${hh(o.start)}–${hh(o.end)}`;

export const layout = ({ w, lang, path, title }, body) => html`<!doctype html>
<html lang="${lang}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title ? `${title} · ` : ''}${w.title}</title>
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css">
<script src="/live.js" defer></script></head>
<body><header><a class="brand" href="/"><span aria-hidden="true">◐</span> ${w.title}</a>
<nav><a href="/">${w.calendar}</a><a href="/me">${w.me}</a>
<form method="post" action="/language"><input type="hidden" name="to" value="${path}">
<button class="plain" name="lang" value="${lang === 'ko' ? 'en' : 'ko'}">${w.other}</button></form>
</nav></header><main>${body}</main></body></html>`;

const cell = (w, day, hour, state) => html`<td><button name="slot" value="${day}-${hour}"
  class="slot ${state}" ${state !== 'free' && 'disabled'}
  aria-label="${w.days[day]} ${hh(hour)} ${w.short[state] || w[state]}"
  ><span>${w.short[state]}</span></button></td>`;

/** The grid alone, as live.js fetches it. states: `${day}-${hour}` -> free, held, sold, mine. */
export const grid = ({ w }, hours, week, states) => html`<table class="grid">
<thead><tr><th></th>${week.map(({ day, date, today }) =>
    html`<th scope="col" class="${today && 'today'}">${w.days[day]}<small>${date}</small></th>`)}
</tr></thead><tbody>${hours.map((hour) => html`<tr><th scope="row">${hh(hour)}</th>
${week.map(({ day }) => cell(w, day, hour, states.get(`${day}-${hour}`) ?? 'free'))}</tr>`)}
</tbody></table>`;

export const calendar = (c, rooms, room, table, taken) => layout(c, html`
${taken && html`<p class="notice" role="alert">${c.w.taken[taken] ?? c.w.taken.unavailable}</p>`}
<p class="lead">${c.w.lead}</p>
<nav class="rooms">${rooms.map((r) => html`<a href="/?room=${r.id}"
  ${r.id === room.id ? html`aria-current="page"` : ''}><b>${r.name[c.lang]}</b>
  <small>${c.w.seats(r.seats)} · ${c.w.perHour(c.w.won(r.price))}</small></a>`)}</nav>
<form method="post" action="/book" class="booking" data-price="${room.price}" data-room="${room.id}"
  data-lang="${c.lang}"><input type="hidden" name="room" value="${room.id}">
<div id="grid">${table}</div>
<ul class="legend">${['free', 'held', 'sold', 'mine'].map((s) => html`<li><i class="slot ${s}"></i>
  ${c.w[s]}</li>`)}</ul>
<div class="bar" hidden><div><b id="chosen"></b><small>${c.w.hint}</small></div>
<button class="pay" id="pay" name="slot">${c.w.pay}</button></div></form>`);

const rows = (w, order, room, payment, lang) => html`<dl>
<dt>${w.room}</dt><dd>${room.name[lang]}</dd><dt>${w.time}</dt><dd>${timeOf(w, order)}</dd>
<dt>${w.price}</dt><dd>${w.won(order.total)}</dd>
${payment && html`<dt>${w.method}</dt><dd>${w.methods[payment.payment_method_type]}</dd>
<dt>${w.paidAt}</dt><dd>${payment.approved_at.toLocaleString(lang, { timeZone: 'Asia/Seoul',
    dateStyle: 'medium', timeStyle: 'short', hour12: false })}</dd>`}</dl>`;

export const orderPage = (c, order, room, payment) => layout({ ...c, title: c.w.order }, html`
<section class="card ${order.state}" id="order" data-state="${order.state}">
<p class="mark" aria-hidden="true"></p><h1>${c.w.states[order.state][0]}</h1>
<p>${c.w.states[order.state][1]}</p>${rows(c.w, order, room, payment, c.lang)}
<div class="actions">${order.state === 'paying' && html`
<a class="pay" href="${order.redirect}">${c.w.goOn}</a>
<form method="post" action="/orders/${order.id}/stop">
<button class="plain">${c.w.stop}</button></form>`}
${['booked', 'paid'].includes(order.state) && html`<form method="post"
  action="/orders/${order.id}/refund" data-sure="${c.w.refundSure}">
<button class="plain">${c.w.refund}</button></form>`}
${['failed', 'cancelled', 'refunded'].includes(order.state) && html`
<a class="pay" href="/?room=${room.id}">${c.w.again}</a>`}
<a class="plain" href="/me">${c.w.me}</a></div></section>`);

export const me = (c, list) => layout({ ...c, title: c.w.me }, html`<h1>${c.w.me}</h1>
${list.length === 0 ? html`<p class="lead">${c.w.empty}</p>` : html`<ul class="list">
${list.map(({ order, room }) => html`<li><a href="/orders/${order.id}">
<span><b>${room.name[c.lang]}</b><small>${timeOf(c.w, order)}</small></span>
<span class="right"><b>${c.w.won(order.total)}</b>
<small class="tag ${order.state}">${c.w.states[order.state][0]}</small></span></a></li>`)}</ul>`}
<p><a class="plain" href="/">${c.w.back}</a></p>`);

export const notFound = (c) => layout(c, html`<h1>404</h1><p class="lead">${c.w.nobody}</p>
<p><a class="plain" href="/">${c.w.back}</a></p>`);
