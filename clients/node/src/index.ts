export { Roompay } from './client.js';
export type { RoompayOptions } from './client.js';
export type { CallOptions } from './call.js';
export * from './errors.js';
export { verifyWebhook, WebhookError } from './webhook.js';
export type { VerifyOptions, WebhookHeaders } from './webhook.js';
export type * from './types.js';
