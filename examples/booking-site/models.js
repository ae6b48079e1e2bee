// What the site keeps: orders and reservations of its own, and a look at roompay's payments.
import mongoose, { Schema } from 'mongoose';

export async function connect({ MONGODB_URI, SITE_DATABASE, ROOMPAY_DATABASE }) {
  const site = await mongoose.createConnection(MONGODB_URI, { dbName: SITE_DATABASE }).asPromise();
  const roompay = site.useDb(ROOMPAY_DATABASE);
  return {
    Order: site.model('Order', OrderSchema),
    Reservation: site.model('Reservation', ReservationSchema),
    Payment: roompay.model('Payment', PaymentSchema, 'payments'),
  };
}

const times = { roomId: String, day: Number, start: Number, end: Number };

// state: paying, checking, paid, review, booked, failed, cancelled, refunding, refunded
const OrderSchema = new Schema({
  _id: String, userId: String, ...times, total: Number,
  state: { type: String, default: 'paying' },
  redirect: String, tid: String, refundId: String,
}, { timestamps: true });

const ReservationSchema = new Schema({ _id: String, userId: String, ...times });   // _id: the tid

// As roompay writes it: never change these documents.
const PaymentSchema = new Schema({
  aid: String, tid: String, cid: String, partner_order_id: String, partner_user_id: String,
  userId: String, item_name: String, payment_method_type: String, quantity: Number,
  amount: { total: Number, tax_free: Number, vat: Number, point: Number, discount: Number },
  created_at: Date, approved_at: Date,
});
