// Keeps the calendar and an order's page fresh, and lets several hours be chosen. Without it the
// pages work, too: a tap on a free time books one hour.
const form = document.querySelector('form.booking');
let chosen = null;                       // { day, from, to }: hours, both included

function show() {
  const bar = form.querySelector('.bar');
  for (const b of form.querySelectorAll('.grid .slot')) {
    const [day, hour] = b.value.split('-').map(Number);
    const is = chosen && day === chosen.day && hour >= chosen.from && hour <= chosen.to;
    b.classList.toggle('chosen', Boolean(is));
    b.setAttribute('aria-pressed', String(Boolean(is)));
  }
  bar.hidden = chosen === null;
  if (chosen === null) return;
  const hours = chosen.to - chosen.from + 1, hh = (h) => `${String(h).padStart(2, '0')}:00`;
  const day = form.querySelectorAll('.grid thead th[scope=col]');
  const first = form.querySelector('.grid tbody tr');
  const days = [...first.querySelectorAll('.slot')].map((b) => Number(b.value.split('-')[0]));
  const name = day[days.indexOf(chosen.day)].firstChild.textContent;
  const price = (hours * Number(form.dataset.price)).toLocaleString(form.dataset.lang);
  const won = form.dataset.lang === 'ko' ? `${price}원` : `₩${price}`;
  form.querySelector('#chosen').textContent =
    `${name} ${hh(chosen.from)}\u2060–\u2060${hh(chosen.to + 1)} · ${won}`;
  form.querySelector('#pay').value = `${chosen.day}-${chosen.from}-${hours}`;
}

function areFree({ day, from, to }) {
  for (let hour = from; hour <= to; hour++) {
    const b = form.querySelector(`.grid .slot[value="${day}-${hour}"]`);
    if (b === null || b.disabled) return false;
  }
  return true;
}

function choose(day, hour) {
  const same = chosen && day === chosen.day;
  if (same && hour === chosen.from && hour === chosen.to) chosen = null;
  else if (same && (hour > chosen.to || hour < chosen.from)) {
    const from = Math.min(hour, chosen.from), to = Math.max(hour, chosen.to);
    chosen = areFree({ day, from, to }) ? { day, from, to } : { day, from: hour, to: hour };
  } else chosen = { day, from: hour, to: hour };
  show();
}

async function refresh() {
  if (document.hidden) return;
  const r = await fetch(`/grid?room=${form.dataset.room}`);
  if (!r.ok) return;
  const table = await r.text(), focused = document.activeElement?.value;
  document.querySelector('#grid').innerHTML = table;
  if (chosen && !areFree(chosen)) chosen = null;
  show();
  const again = focused && form.querySelector(`.grid .slot[value="${focused}"]`);
  if (again) again.focus({ preventScroll: true });
}

if (form) {
  form.addEventListener('click', (e) => {
    const b = e.target.closest('.grid .slot');
    if (!b || b.disabled) return;
    e.preventDefault();
    choose(...b.value.split('-').map(Number));
  });
  setInterval(() => refresh().catch(() => {}), 3000);
  document.addEventListener('visibilitychange', () => refresh().catch(() => {}));
}

for (const f of document.querySelectorAll('form[data-sure]'))
  f.addEventListener('submit', (e) => { if (!confirm(f.dataset.sure)) e.preventDefault(); });

// No second click while the first is on its way; also when the page comes back by the back button.
document.addEventListener('submit', (e) => {
  if (e.defaultPrevented) return;
  if (e.target.dataset.sent) e.preventDefault();
  e.target.dataset.sent = 'yes';
});
addEventListener('pageshow', () => {
  for (const f of document.forms) delete f.dataset.sent;
});

const order = document.querySelector('#order');
const again = { paid: 700, checking: 2000, refunding: 2000 }[order?.dataset.state];
if (again) setTimeout(() => location.reload(), again);
