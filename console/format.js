// Money and times as an operator in Korea reads them: every time is Korean and says so.
import { h } from './dom.js';

const ZONE = 'Asia/Seoul';
const parts = new Intl.DateTimeFormat('sv-SE', {
  timeZone: ZONE,
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** '2026-11-29 14:03:22', Korean time. */
export const korean = (iso) => parts.format(new Date(iso)).replace(',', '');

/** Today in Korea, or so many days from it: '2026-11-29'. */
export const dayFrom = (days = 0) => korean(Date.now() + days * 86_400_000).slice(0, 10);

export const time = (iso) =>
  h(
    'time',
    { datetime: iso, class: 'time' },
    korean(iso),
    ' ',
    h('span', { class: 'zone' }, 'KST'),
  );

export const clock = (iso) =>
  h(
    'time',
    { datetime: iso, class: 'time' },
    korean(iso).slice(11),
    ' ',
    h('span', { class: 'zone' }, 'KST'),
  );

const steps = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** '3분 전': how long ago, or how long until. */
export function distance(iso, lang, now = Date.now()) {
  const seconds = Math.round((new Date(iso) - now) / 1000);
  const [unit, size] = steps.find(([, s]) => Math.abs(seconds) >= s) ?? steps.at(-1);
  const words = new Intl.RelativeTimeFormat(lang, { numeric: 'always' });
  return words.format(Math.trunc(seconds / size), unit);
}

export const won = (n, lang) =>
  lang === 'ko' ? `${n.toLocaleString('ko-KR')}원` : `₩${n.toLocaleString('en-US')}`;

export const money = (n, lang) => h('span', { class: 'won' }, won(n, lang));

/** Hours (9.5) or minutes (570), as the site is set, to minutes. */
export const minutesOf = (value, unit) => Math.round(unit === 'minute' ? value : value * 60);

const two = (n) => String(n).padStart(2, '0');
export const hhmm = (minutes) => `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;

/** '월 10:00–12:00' */
export function interval(i, w, unit) {
  const [from, to] = [i.startTime, i.endTime].map((t) => hhmm(minutesOf(t, unit)));
  return `${w.days[i.day % 7]} ${from}–${to}`;
}
