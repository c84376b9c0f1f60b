// Standard Webhooks and those who send it under their own name.
import { unless_thrown } from '../webhook.mjs';

const kSecret = 'whsec_dGVzdC1vbmx5LXN2aXgta2V5LW1hdGVyaWFsLTI0YiE=';

function standard_family(name, library, prefix) {
  return {
    name,
    package: library,
    secret: kSecret,
    signs: 'Webhook.sign',
    async sign({ text, secret }) {
      const { Webhook } = await import(library);
      const id = `msg_${Date.now()}`, now = new Date();
      return {
        headers: {
          [`${prefix}-id`]: id,
          [`${prefix}-timestamp`]: Math.floor(now.getTime() / 1000).toString(),
          [`${prefix}-signature`]: new Webhook(secret).sign(id, now, text),
        },
      };
    },
    verifies: 'Webhook.verify',
    async verify({ text, headers }, { secret }) {
      const { Webhook } = await import(library);
      return unless_thrown(() => new Webhook(secret).verify(text, headers));
    },
  };
}

const openai = {
  name: 'openai',
  package: 'openai',
  secret: kSecret,
  verifies: 'webhooks.verifySignature',
  async verify({ text, headers }, { secret }) {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ apiKey: 'unused', webhookSecret: secret });
    return unless_thrown(() => client.webhooks.verifySignature(text, headers));
  },
};

const clerk = {
  name: 'clerk',
  package: '@clerk/backend',
  secret: kSecret,
  verifies: 'verifyWebhook',
  async verify({ url, text, headers }, { secret }) {
    const { verifyWebhook } = await import('@clerk/backend/webhooks');
    const request = new Request(url, { method: 'POST', headers, body: text });
    return unless_thrown(() => verifyWebhook(request, { signingSecret: secret }));
  },
};

const liveblocks = {
  name: 'liveblocks',
  package: '@liveblocks/node',
  secret: kSecret,
  body: '{"type":"storageUpdated","data":{"projectId":"p","roomId":"belay","updatedAt":"2026-01-01T00:00:00Z"}}',
  verifies: 'WebhookHandler.verifyRequest',
  async verify({ text, headers }, { secret }) {
    const { WebhookHandler } = await import('@liveblocks/node');
    return unless_thrown(() => new WebhookHandler(secret).verifyRequest({ headers, rawBody: text }));
  },
};

export default [
  standard_family('svix', 'svix', 'svix'), standard_family('standard_webhooks', 'standardwebhooks', 'webhook'), openai, clerk, liveblocks,
];
