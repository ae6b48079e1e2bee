import { call } from './call.js';
import type { CallOptions, Fetch, Request } from './call.js';
import type * as t from './types.js';

export interface RoompayOptions extends Omit<CallOptions, 'signal' | 'requestId'> {
  /** roompay's address with its prefix: https://pay.example.com/pay */
  base: string;
  /** The caller's token. A site has one for each role; make a client for each. */
  token: string;
  /** The language of `title` and `detail` in errors. Default ko. */
  language?: 'ko' | 'en';
  fetch?: Fetch;
}

type Query = Record<string, string | number | undefined>;

/**
 * One function for each query. Every function repeats its call while that tells more, and throws a
 * ProblemError, a NoAnswerError, or the reason of your signal.
 */
export class Roompay {
  readonly #base: string;
  readonly #token: string;
  readonly #options: RoompayOptions;

  constructor(options: RoompayOptions) {
    this.#base = new URL(options.base).href.replace(/\/+$/, '');
    this.#token = options.token;
    this.#options = options;
    if (!/^[!-~]+$/.test(options.token ?? '')) throw new TypeError('token: printable characters');
  }

  /** Holds the times and opens a payment. The user goes to `next_redirect_..._url`. */
  payReady(body: t.ReadyRequest, o?: CallOptions): Promise<t.Ready> {
    return this.#post('/payReady', body, o);
  }

  /** Takes the money. Decide by `charged`; `"unknown"`: the repeats did not find out in time. */
  approvePayment(body: t.ApproveRequest, o?: CallOptions): Promise<t.Approved | t.Later> {
    return this.#post('/approvePayment', body, o, true);
  }

  /** Gateway: the user gave up. Reservation: the payment `tid` is in the calendar. */
  removePaymentInQueue(body: t.RemoveRequest, o?: CallOptions): Promise<t.Removed> {
    return this.#post('/removePaymentInQueue', body, o);
  }

  /** Gives money back. `refundId` is your idempotency key: store it before you call. */
  cancelPayment(body: t.RefundRequest, o?: CallOptions): Promise<t.Refunded | t.RefundLater> {
    return this.#post('/cancelPayment', body, o);
  }

  /** What became of an order, and what to do `next`. */
  getOrder(query: t.OrderQuery, o?: CallOptions): Promise<t.Order> {
    return this.#get('/orders', query, o);
  }

  /** A page of the history. `next` is the cursor of the following one. */
  listPayments(query: t.PaymentsQuery = {}, o?: CallOptions): Promise<t.Payments> {
    return this.#get('/payments', query, o);
  }

  /** Every payment of the history, page by page. */
  async *payments(query: t.PaymentsQuery = {}, o?: CallOptions): AsyncGenerator<t.ListedPayment> {
    for (let cursor = query.cursor; ;) {
      const page = await this.listPayments(cursor === undefined ? query : { ...query, cursor }, o);
      yield* page.payments;
      if (page.next === null) return;
      cursor = page.next;
    }
  }

  /** One payment and what became of it. A gateway adds userId or partner_order_id. */
  getPayment(tid: string, query: t.PaymentQuery = {}, o?: CallOptions): Promise<t.PaymentNow> {
    return this.#get(`/payments/${encodeURIComponent(tid)}`, query, o);
  }

  /** A page of the refunds that were carried out, the newest first. */
  listRefunds(query: t.RefundsQuery = {}, o?: CallOptions): Promise<t.Refunds> {
    return this.#get('/refunds', query, o);
  }

  /** The held times of a room. */
  listHeld(query: t.HeldQuery, o?: CallOptions): Promise<t.Held> {
    return this.#get('/queue', query, o);
  }

  /** Whether payments can be taken. Asks once: "no" is an answer. */
  getReady(o?: CallOptions): Promise<t.Readiness> {
    return this.#get('/readyz', {}, { retryFor: 0, ...o });
  }

  getLive(o?: CallOptions): Promise<{ live: true }> {
    return this.#get('/livez', {}, { retryFor: 0, ...o });
  }

  /** Counters as Prometheus reads them. */
  getMetrics(o?: CallOptions): Promise<string> {
    return this.#get('/metrics', {}, o);
  }

  getOpenapi(o?: CallOptions): Promise<Record<string, unknown>> {
    return this.#get('/openapi.json', {}, o);
  }

  #headers(o: CallOptions | undefined): Record<string, string> {
    return {
      'authorization': `Bearer ${this.#token}`,
      'accept-language': this.#options.language ?? 'ko',
      ...(o?.requestId === undefined ? {} : { 'x-request-id': o.requestId }),
    };
  }

  #call<T>(rq: Request, o: CallOptions = {}): Promise<T> {
    const { fetch = globalThis.fetch, timeout, retryFor } = this.#options;
    const given: CallOptions = { ...o };
    if (given.timeout === undefined && timeout !== undefined) given.timeout = timeout;
    if (given.retryFor === undefined && retryFor !== undefined) given.retryFor = retryFor;
    return call<T>(fetch, rq, given);
  }

  #post<T>(path: string, json: object, o?: CallOptions, mayCharge = false): Promise<T> {
    const headers = { ...this.#headers(o), 'content-type': 'application/json' };
    const body = JSON.stringify(json);
    return this.#call({ method: 'POST', url: this.#base + path, headers, body, mayCharge }, o);
  }

  #get<T>(path: string, query: object, o?: CallOptions): Promise<T> {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries(query as Query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers = this.#headers(o);
    return this.#call({ method: 'GET', url: url.href, headers, mayCharge: false }, o);
  }
}
