// Vendors that sign a time and the body.
import { createRequire } from 'node:module';
import { kCanonicalBody, milliseconds, seconds, unless_thrown } from '../webhook.mjs';

const require = createRequire(import.meta.url);

const stripe = {
  name: 'stripe',
  package: 'stripe',
  secret: 'whsec_test_only_stripe_0001',
  signs: 'webhooks.generateTestHeaderString',
  async sign({ text, secret }) {
    const { default: Stripe } = await import('stripe');
    return { headers: { 'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({ payload: text, secret }) } };
  },
  verifies: 'webhooks.constructEvent',
  async verify({ body, headers }, { secret }) {
    const { default: Stripe } = await import('stripe');
    return unless_thrown(() => Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret));
  },
};

const workos_webhooks = async () => {
  const { WorkOS } = await import('@workos-inc/node');
  return new WorkOS('unused').webhooks;
};
const workos = {
  name: 'workos',
  package: '@workos-inc/node',
  secret: 'test-only-workos',
  body: kCanonicalBody,
  signs: 'webhooks.computeSignature',
  async sign({ json, secret }) {
    const t = milliseconds();
    return { headers: { 'WorkOS-Signature': `t=${t}, v1=${await (await workos_webhooks()).computeSignature(t, json, secret)}` } };
  },
  verifies: 'webhooks.verifyHeader',
  async verify({ json, headers }, { secret }) {
    return (await workos_webhooks()).verifyHeader({ payload: json, sigHeader: headers['workos-signature'], secret });
  },
};

const sanity = {
  name: 'sanity',
  package: '@sanity/webhook',
  secret: 'test-only-sanity',
  signs: 'encodeSignatureHeader',
  async sign({ text, secret }) {
    const { encodeSignatureHeader } = await import('@sanity/webhook');
    return { headers: { 'sanity-webhook-signature': await encodeSignatureHeader(text, Date.now(), secret) } };
  },
  verifies: 'isValidSignature',
  async verify({ text, headers }, { secret }) {
    const { isValidSignature } = await import('@sanity/webhook');
    return isValidSignature(text, headers['sanity-webhook-signature'], secret);
  },
};

const retell = {
  name: 'retell',
  package: 'retell-sdk',
  secret: 'test-only-retell',
  signs: 'sign',
  async sign({ text, secret }) {
    const { sign } = await import('retell-sdk');
    return { headers: { 'X-Retell-Signature': await sign(text, secret) } };
  },
  verifies: 'verify',
  async verify({ text, headers }, { secret }) {
    const { verify } = await import('retell-sdk');
    return verify(text, secret, headers['x-retell-signature']);
  },
};

const mux_webhooks = async (secret) => {
  const { default: Mux } = await import('@mux/mux-node');
  return new Mux({ tokenId: 'unused', tokenSecret: 'unused', webhookSecret: secret }).webhooks;
};
const mux = {
  name: 'mux',
  package: '@mux/mux-node',
  secret: 'test-only-mux',
  signs: 'webhooks.computeSignature',
  async sign({ text, secret }) {
    const t = seconds();
    return { headers: { 'Mux-Signature': `t=${t},v1=${await (await mux_webhooks(secret)).computeSignature(`${t}.${text}`, secret)}` } };
  },
  verifies: 'webhooks.verifySignature',
  async verify({ text, headers }, { secret }) {
    const webhooks = await mux_webhooks(secret);
    return unless_thrown(() => webhooks.verifySignature(text, headers, secret));
  },
};

// The two are one library with another setting.
function cloudinary(name, algorithm) {
  return {
    name,
    package: 'cloudinary',
    secret: 'test-only-cloudinary',
    signs: `utils.webhook_signature (${algorithm})`,
    async sign({ text, secret }) {
      const { v2 } = await import('cloudinary');
      const timestamp = seconds();
      const signature = v2.utils.webhook_signature(text, timestamp, { api_secret: secret, signature_algorithm: algorithm });
      return { headers: { 'X-Cld-Timestamp': timestamp, 'X-Cld-Signature': signature } };
    },
    verifies: 'utils.verifyNotificationSignature',
    async verify({ text, headers }, { secret }) {
      const { v2 } = await import('cloudinary');
      v2.config({ api_secret: secret, signature_algorithm: algorithm });
      return v2.utils.verifyNotificationSignature(text, Number(headers['x-cld-timestamp']), headers['x-cld-signature']);
    },
  };
}

const box = {
  name: 'box',
  package: 'box-node-sdk',
  secret: 'test-only-box-primary',
  signs: 'lib/internal/utils computeWebhookSignature',
  async sign({ text, secret }) {
    const { computeWebhookSignature } = require('box-node-sdk/lib/internal/utils');
    const headers = {
      'box-signature-version': '1', 'box-signature-algorithm': 'HmacSHA256', 'box-delivery-id': 'f96bb54b-ee16-4fc5-aa65-8c2d9e5b546f',
      'box-delivery-timestamp': new Date().toISOString(),
    };
    // As Box sends: what is signed has its characters beyond ASCII escaped, what is sent has not.
    return { headers: { ...headers, 'box-signature-primary': await computeWebhookSignature(text, headers, secret, true) } };
  },
  verifies: 'WebhooksManager.validateMessage',
  async verify({ text, headers }, { secret }) {
    const { WebhooksManager } = require('box-node-sdk/lib/managers/webhooks');
    return WebhooksManager.validateMessage(text, headers, secret);
  },
};

const slack = {
  name: 'slack',
  package: '@slack/bolt',
  secret: '8f742231b10e8888abcd99yyyzzz85a5',
  verifies: 'verifySlackRequest',
  async verify({ text, headers }, { secret }) {
    const { verifySlackRequest } = require('@slack/bolt/dist/receivers/verify-request.js');
    return unless_thrown(() => verifySlackRequest({ signingSecret: secret, headers, body: text }));
  },
};

const zoom = {
  name: 'zoom',
  package: '@zoom/rivet',
  secret: 'test-only-zoom',
  body: '{"event":"meeting.started","payload":{"account_id":"a","object":{"topic":"Zoë belay"}},"event_ts":1626230691572}',
  verifies: 'AwsLambdaReceiver',
  async verify({ text, headers }, { secret }) {
    const { AwsLambdaReceiver } = require('@zoom/rivet/meetings');
    const receiver = new AwsLambdaReceiver({ webhooksSecretToken: secret });
    receiver.init({ eventEmitter: { emit: async () => {} } });
    const { debug } = console;
    console.debug = () => {}; // it prints every request
    const { statusCode } = await receiver.start()({ headers, body: text, isBase64Encoded: false }, {}).finally(() => { console.debug = debug; });
    return statusCode === 200;
  },
};

const paddle = {
  name: 'paddle',
  package: '@paddle/paddle-node-sdk',
  secret: 'pdl_ntfset_test_only',
  verifies: 'webhooks.isSignatureValid',
  async verify({ text, headers }, { secret }) {
    const { Paddle } = await import('@paddle/paddle-node-sdk');
    return new Paddle('unused').webhooks.isSignatureValid(text, secret, headers['paddle-signature']);
  },
};

const hook0 = {
  name: 'hook0',
  package: 'hook0-client',
  secret: 'test-only-hook0',
  verifies: 'verifyWebhookSignature',
  async verify({ body, headers }, { secret }) {
    const { verifyWebhookSignature } = await import('hook0-client');
    return verifyWebhookSignature(headers['x-hook0-signature'], body, new Headers({ 'content-type': headers['content-type'] }), secret, 300);
  },
};

const crisp = {
  name: 'crisp',
  package: 'crisp-api',
  secret: 'test-only-crisp',
  body: kCanonicalBody,
  verifies: 'verifyWidget', // verifyHook makes the same check, once it is connected
  async verify({ json, headers }, { secret }) {
    const { default: crisp_api } = await import('crisp-api');
    const Crisp = crisp_api.Crisp ?? crisp_api;
    return new Crisp().verifyWidget(secret, json, headers['x-crisp-request-timestamp'], headers['x-crisp-signature']);
  },
};

export default [
  stripe, workos, sanity, retell, mux, cloudinary('cloudinary', 'sha1'), cloudinary('cloudinary_sha256', 'sha256'), box, slack, zoom, paddle,
  hook0, crisp,
];
