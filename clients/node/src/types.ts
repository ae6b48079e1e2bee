import type { components, operations } from './schema.js';

type Schemas = components['schemas'];

export type Charged = Schemas['Charged'];
export type State = Schemas['State'];
export type Next = Schemas['Next'];
export type Interval = Schemas['Interval'];
/** GET /queue says the state, too. */
export type Held = Schemas['Held'];
export type Payment = Schemas['Payment'];
export type PaymentInfo = Schemas['PaymentInfo'];
export type ReservationInfo = Schemas['ReservationInfo'];
export type ReadyRequest = Schemas['ReadyRequest'];
export type Ready = Schemas['Ready'];
export type ApproveRequest = Schemas['ApproveRequest'];
export type Approved = Schemas['Approved'];
/** 202. `unknown`: sent, and the end is not known. `recording`: captured, not written down yet. */
export type Later = Schemas['Later'];
export type RemoveRequest = Schemas['RemoveRequest'];
export type Removed = Schemas['Removed'];
export type RefundRequest = Schemas['RefundRequest'];
export type Refunded = Schemas['Refunded'];
export type RefundLater = Schemas['RefundLater'];
export type Order = Schemas['Order'];
/** A payment in a list, with what became of it. */
export type ListedPayment = Schemas['ListedPayment'];
export type Payments = Schemas['Payments'];
export type PaymentNow = Schemas['PaymentNow'];
export type Refund = Schemas['Refund'];
export type Refunds = Schemas['Refunds'];
export type Readiness = Schemas['Readiness'];
export type Problem = Schemas['Problem'];
export type ProblemCode = Problem['code'];
export type FieldError = Schemas['FieldError'];

type Query<name extends keyof operations> = NonNullable<operations[name]['parameters']['query']>;
export type OrderQuery = Query<'getOrder'>;
export type PaymentsQuery = Query<'listPayments'>;
export type PaymentQuery = Query<'getPayment'>;
export type RefundsQuery = Query<'listRefunds'>;
export type HeldQuery = Query<'listHeld'>;

/** What roompay sends. Decide by `type`. */
export type Message = Schemas['PaymentApproved'] | Schemas['QueueRemoved']
  | Schemas['PaymentResolved'] | Schemas['PaymentRefunded'] | Schemas['Test'];
