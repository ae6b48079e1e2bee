import type { Charged, FieldError, Interval, Problem, ProblemCode } from './types.js';

/** Everything that a call throws, except an abort of yours. */
export class RoompayError extends Error {
  /** What is known of the money. Absent: the call did not look. */
  readonly charged?: Charged;

  constructor(message: string, options: { cause?: unknown; charged?: Charged | undefined } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    if (options.charged !== undefined) this.charged = options.charged;
  }
}

/**
 * No answer came: no connection, a time-out, or an answer that is not roompay's (a web server's own
 * page). The call may have been carried out: repeat it, or ask getOrder.
 */
export class NoAnswerError extends RoompayError {
  readonly code = 'no-answer';
}

/** An answer with a code of the table in doc/http.md. Each code has a class of its own below. */
export class ProblemError extends RoompayError {
  readonly code: ProblemCode;
  readonly status: number;
  /** For people, in the language that the client asked for. */
  readonly title: string;
  readonly detail: string;
  /** The operator finds it in every log. */
  readonly requestId: string;
  /** invalid-fields: every wrong field. */
  readonly errors: FieldError[];
  /** slot-held, slot-sold: the times that overlap. */
  readonly conflicts: Interval[];
  /** KakaoPay's own words, where it answered. */
  readonly provider?: Problem['provider'];
  /** Seconds, where waiting helps. */
  readonly retryAfter?: number;

  constructor(problem: Problem, retryAfter?: number) {
    super(`${problem.code}: ${problem.detail}`, { charged: problem.charged });
    this.code = problem.code;
    this.status = problem.status;
    this.title = problem.title;
    this.detail = problem.detail;
    this.requestId = problem.requestId;
    this.errors = problem.errors ?? [];
    this.conflicts = problem.conflicts ?? [];
    if (problem.provider !== undefined) this.provider = problem.provider;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
  }
}

export class MalformedJsonError extends ProblemError {}
export class UnauthenticatedError extends ProblemError {}
export class ForbiddenError extends ProblemError {}
export class NoRouteError extends ProblemError {}
export class MethodNotAllowedError extends ProblemError {}
export class TooLargeError extends ProblemError {}
export class UnsupportedMediaTypeError extends ProblemError {}
export class InvalidFieldsError extends ProblemError {}
export class UnknownMerchantError extends ProblemError {}
export class SlotHeldError extends ProblemError {}
export class SlotSoldError extends ProblemError {}
export class OrderAlreadyPaidError extends ProblemError {}
export class PaymentInProgressError extends ProblemError {}
export class PaymentDeclinedError extends ProblemError {}
export class TokenRefusedError extends ProblemError {}
export class NoHoldError extends ProblemError {}
export class HoldExpiredError extends ProblemError {}
export class TooManyHoldsError extends ProblemError {}
export class TooManyRequestsError extends ProblemError {}
export class ProviderUnreachableError extends ProblemError {}
export class ProviderError extends ProblemError {}
export class ProviderBusyError extends ProblemError {}
export class QueueUnavailableError extends ProblemError {}
export class StoreUnavailableError extends ProblemError {}
export class NotReadyError extends ProblemError {}
export class InternalError extends ProblemError {}
export class NoPaymentError extends ProblemError {}
export class PaymentInReviewError extends ProblemError {}
export class RefundInProgressError extends ProblemError {}
export class RefundExceedsError extends ProblemError {}
export class RefundMismatchError extends ProblemError {}
export class RefundDeclinedError extends ProblemError {}
export class CrossOriginError extends ProblemError {}
export class NotKnownError extends ProblemError {}
export class NotInThisStateError extends ProblemError {}
export class RefundRepeatedError extends ProblemError {}

/** A code that is missing here, or one that no longer exists, does not compile. */
const classes: Record<ProblemCode, typeof ProblemError> = {
  'malformed-json': MalformedJsonError,
  'unauthenticated': UnauthenticatedError,
  'forbidden': ForbiddenError,
  'no-route': NoRouteError,
  'method-not-allowed': MethodNotAllowedError,
  'too-large': TooLargeError,
  'unsupported-media-type': UnsupportedMediaTypeError,
  'invalid-fields': InvalidFieldsError,
  'unknown-merchant': UnknownMerchantError,
  'slot-held': SlotHeldError,
  'slot-sold': SlotSoldError,
  'order-already-paid': OrderAlreadyPaidError,
  'payment-in-progress': PaymentInProgressError,
  'payment-declined': PaymentDeclinedError,
  'token-refused': TokenRefusedError,
  'no-hold': NoHoldError,
  'hold-expired': HoldExpiredError,
  'too-many-holds': TooManyHoldsError,
  'too-many-requests': TooManyRequestsError,
  'provider-unreachable': ProviderUnreachableError,
  'provider-error': ProviderError,
  'provider-busy': ProviderBusyError,
  'queue-unavailable': QueueUnavailableError,
  'store-unavailable': StoreUnavailableError,
  'not-ready': NotReadyError,
  'internal-error': InternalError,
  'no-payment': NoPaymentError,
  'payment-in-review': PaymentInReviewError,
  'refund-in-progress': RefundInProgressError,
  'refund-exceeds': RefundExceedsError,
  'refund-mismatch': RefundMismatchError,
  'refund-declined': RefundDeclinedError,
  'cross-origin': CrossOriginError,
  'not-known': NotKnownError,
  'not-in-this-state': NotInThisStateError,
  'refund-repeated': RefundRepeatedError,
};

/** The error of this problem, of its code's class. A code of a newer roompay is a ProblemError. */
export function problemError(problem: Problem, retryAfter?: number): ProblemError {
  return new (classes[problem.code] ?? ProblemError)(problem, retryAfter);
}
