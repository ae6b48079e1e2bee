// Makes a replica set of one member out of the MongoDB of compose.yaml, once, and waits until it
// takes writes.
import mongoose from 'mongoose';

const uri = 'mongodb://127.0.0.1:27017/?directConnection=true';
const end = Date.now() + 60_000;
const members = [{ _id: 0, host: '127.0.0.1:27017' }];

async function isPrimary() {
  const connection = mongoose.createConnection(uri, { serverSelectionTimeoutMS: 2000 });
  try {
    const admin = (await connection.asPromise()).getClient().db('admin');
    const hello = await admin.command({ hello: 1 });
    if (!hello.setName) await admin.command({ replSetInitiate: { _id: 'rs0', members } });
    return hello.isWritablePrimary;
  } catch (e) {
    if (Date.now() > end) throw e;
    return false;
  } finally {
    await connection.close();
  }
}

while (!await isPrimary()) {
  if (Date.now() > end) throw new Error('no primary within a minute');
  await new Promise((wake) => setTimeout(wake, 300));
}
console.log('MongoDB takes writes');
