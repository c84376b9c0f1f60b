// Vendors that sign the body alone.
import { createRequire } from 'node:module';
import { unless_thrown } from '../webhook.mjs';

const require = createRequire(import.meta.url);

const github = {
  name: 'github',
  package: '@octokit/webhooks-methods',
  secret: "It's a Secret to Everybody",
  headers: { 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958' },
  signs: 'sign',
  async sign({ text, secret }) {
    const { sign } = await import('@octokit/webhooks-methods');
    return { headers: { 'X-Hub-Signature-256': await sign(secret, text) } };
  },
  verifies: 'verify',
  async verify({ text, headers }, { secret }) {
    const { verify } = await import('@octokit/webhooks-methods');
    return verify(secret, text, headers['x-hub-signature-256']);
  },
};

const coinbase_commerce = {
  name: 'coinbase_commerce',
  package: 'coinbase-commerce-node',
  secret: 'test-only-coinbase',
  body: '{"id":1,"event":{"id":"24934862","type":"charge:created","data":{"name":"Zoë 🚚","by":"belay"}}}',
  signs: 'Webhook.computeSignature',
  async sign({ text, secret }) {
    const { default: commerce } = await import('coinbase-commerce-node');
    return { headers: { 'X-CC-Webhook-Signature': commerce.Webhook.computeSignature(text, secret) } };
  },
  verifies: 'Webhook.verifyEventBody',
  async verify({ text, headers }, { secret }) {
    const { default: commerce } = await import('coinbase-commerce-node');
    return unless_thrown(() => commerce.Webhook.verifyEventBody(text, headers['x-cc-webhook-signature'], secret));
  },
};

const kontent = {
  name: 'kontent',
  package: '@kontent-ai/webhook-helper',
  secret: 'BHPyfqwSy1iJjcscOB+GSkDf9THrBlfcKkwtADJdbP4=',
  signs: 'signatureHelper.getHashFromString',
  async sign({ text, secret }) {
    const { signatureHelper } = await import('@kontent-ai/webhook-helper');
    return { headers: { 'X-Kontent-ai-Signature': signatureHelper.getHashFromString(text, secret) } };
  },
  verifies: 'signatureHelper.isValidSignatureFromString',
  async verify({ text, headers }, { secret }) {
    const { signatureHelper } = await import('@kontent-ai/webhook-helper');
    return signatureHelper.isValidSignatureFromString(text, secret, headers['x-kontent-ai-signature']);
  },
};

const modern_treasury_webhooks = async () => {
  const { default: ModernTreasury } = await import('modern-treasury');
  return new ModernTreasury({ apiKey: 'unused', organizationID: 'unused' }).webhooks;
};
const modern_treasury = {
  name: 'modern_treasury',
  package: 'modern-treasury',
  secret: 'test-only-mt',
  signs: 'webhooks.getSignature',
  async sign({ text, secret }) {
    return { headers: { 'X-Signature': (await modern_treasury_webhooks()).getSignature(text, { key: secret }) } };
  },
  verifies: 'webhooks.validateSignature',
  async verify({ text, headers }, { secret }) {
    return (await modern_treasury_webhooks()).validateSignature(text, headers, { key: secret });
  },
};

const pusher = {
  name: 'pusher',
  package: 'pusher',
  secret: 'test-only-pusher',
  params: { app_key: '278d425bdf160c739803' },
  body: '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"belay"}]}',
  signs: 'lib/token Token.sign',
  async sign({ text, secret }, { params }) {
    const Token = require('pusher/lib/token');
    return { headers: { 'X-Pusher-Key': params.app_key, 'X-Pusher-Signature': new Token(params.app_key, secret).sign(text) } };
  },
  verifies: 'webhook().isValid',
  async verify({ text, headers }, { secret, params }) {
    const Pusher = require('pusher');
    const client = new Pusher({ appId: '1', key: params.app_key, secret, cluster: 'eu' });
    return client.webhook({ headers, rawBody: text }).isValid();
  },
};

const shopify = {
  name: 'shopify',
  package: '@shopify/shopify-api',
  secret: 'test-only-shopify',
  headers: {
    'X-Shopify-Topic': 'orders/create', 'X-Shopify-Shop-Domain': 'belay.myshopify.com', 'X-Shopify-API-Version': '2026-07',
    'X-Shopify-Webhook-Id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
  },
  verifies: 'webhooks.validate',
  async verify({ text, headers }, { secret }) {
    await import('@shopify/shopify-api/adapters/node');
    const { shopifyApi, ApiVersion, LogSeverity } = await import('@shopify/shopify-api');
    const api = shopifyApi({
      apiKey: 'unused', apiSecretKey: secret, hostName: 'belay.example.test', isEmbeddedApp: false, scopes: [],
      apiVersion: Object.values(ApiVersion).at(-1), logger: { level: LogSeverity.Error },
    });
    const answer = { setHeader() {}, getHeaders: () => ({}) };
    const { valid } = await api.webhooks.validate({ rawBody: text, rawRequest: { method: 'POST', url: '/', headers }, rawResponse: answer });
    return valid;
  },
};

const line = {
  name: 'line',
  package: '@line/bot-sdk',
  secret: 'test-only-line',
  verifies: 'validateSignature',
  async verify({ body, headers }, { secret }) {
    const { validateSignature } = await import('@line/bot-sdk');
    return validateSignature(body, secret, headers['x-line-signature']);
  },
};

const gocardless = {
  name: 'gocardless',
  package: 'gocardless-nodejs',
  secret: 'test-only-gocardless',
  body: '{"events":[{"id":"EV1","resource_type":"payments","action":"created","metadata":{"by":"belay"}}],"meta":{"webhook_id":"WB1"}}',
  verifies: 'webhooks.parse',
  async verify({ text, headers }, { secret }) {
    const { parse } = require('gocardless-nodejs/webhooks');
    return unless_thrown(() => parse(text, secret, headers['webhook-signature']));
  },
};

const razorpay = {
  name: 'razorpay',
  package: 'razorpay',
  secret: 'test-only-razorpay',
  verifies: 'validateWebhookSignature',
  async verify({ text, headers }, { secret }) {
    const { default: Razorpay } = await import('razorpay');
    return Razorpay.validateWebhookSignature(text, headers['x-razorpay-signature'], secret);
  },
};

const easypost = {
  name: 'easypost',
  package: '@easypost/api',
  secret: 'test-only-easypost',
  verifies: 'Utils.validateWebhook',
  async verify({ body, headers }, { secret }) {
    const { default: EasyPost } = await import('@easypost/api');
    const client = new EasyPost('unused');
    return unless_thrown(() => client.Utils.validateWebhook(body, headers, secret));
  },
};

const stream = {
  name: 'stream',
  package: 'stream-chat',
  secret: 'test-only-stream',
  verifies: 'StreamChat.verifyWebhook',
  async verify({ body, headers }, { secret }) {
    const { StreamChat } = await import('stream-chat');
    return new StreamChat('unused', secret).verifyWebhook(body, headers['x-signature']);
  },
};

const linear = {
  name: 'linear',
  package: '@linear/sdk',
  secret: 'test-only-linear',
  // Linear's time stands in the body.
  body: () => JSON.stringify({ action: 'create', type: 'Issue', data: { title: 'Zoë 🚚', by: 'belay' }, webhookTimestamp: Date.now() }),
  verifies: 'LinearWebhookClient.verify',
  async verify({ body, headers }, { secret }) {
    const { LinearWebhookClient } = await import('@linear/sdk/webhooks');
    return new LinearWebhookClient(secret).verify(body, headers['linear-signature']);
  },
};

export default [github, coinbase_commerce, kontent, modern_treasury, pusher, shopify, line, gocardless, razorpay, easypost, stream, linear];
