// A route that rewrites a webhook and signs it again in the scheme of its sender: what arrives must verify with the sender's own library.
import { post } from './gateway.mjs';
import { accepts, flip, Webhook } from './webhook.mjs';

const kBody = '{"id":"evt_1","type":"order.created","order":{"total":10.50,"name":"Zoë"}}';
const kIn = { stripe: 'whsec_test_only_in', standard_webhooks: 'whsec_dGVzdC1vbmx5LWtleS1vZi10aGUtc2VuZGVyLTI0IQ==' };
const kOut = { stripe: 'whsec_test_only_out', standard_webhooks: 'whsec_dGVzdC1vbmx5LWtleS1vZi10aGUtYmFja2VuZC0yNCE=' };

const cases = {
  stripe: {
    async sign() {
      const { default: Stripe } = await import('stripe');
      return { 'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({ payload: kBody, secret: kIn.stripe }) };
    },
    async verify({ body, headers }, secret) {
      const { default: Stripe } = await import('stripe');
      return Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret).by === 'belay';
    },
  },
  standard_webhooks: {
    async sign() {
      const { Webhook: Standard } = await import('standardwebhooks');
      const now = new Date();
      return {
        'webhook-id': 'msg_1', 'webhook-timestamp': Math.floor(now.getTime() / 1000).toString(),
        'webhook-signature': new Standard(kIn.standard_webhooks).sign('msg_1', now, kBody),
      };
    },
    async verify({ text, headers }, secret) {
      const { Webhook: Standard } = await import('standardwebhooks');
      return new Standard(secret).verify(text, headers).by === 'belay';
    },
  },
};

export function resign_rules(backend) {
  const sources = {}, destinations = {};
  for (const name of Object.keys(cases)) {
    sources[`resign_${name}`] = {
      match: { path: `/resign/${name}` },
      preset: name,
      secrets: { signing: kIn[name] },
      routes: [{ transform: { body: { order: '{{ order }}', kind: '{{ upper(type) }}', by: 'belay' } }, to: `resigned_${name}` }],
    };
    destinations[`resigned_${name}`] = {
      url: `http://127.0.0.1:${backend.port}/resigned/${name}`,
      sign: { preset: name, secret: kOut[name] },
    };
  }
  return { sources, destinations };
}

async function check(name, gateway, backend) {
  const { sign, verify } = cases[name];
  const answer = await post(gateway.port, `/resign/${name}`, { 'Content-Type': 'application/json', ...(await sign()) }, kBody);
  if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status} ${answer.text}`);
  const [arrived] = backend.at(`/resigned/${name}`);
  const webhook = new Webhook({ ...arrived, url: `http://127.0.0.1:${backend.port}${arrived.target}` });
  const { order, kind } = webhook.json;
  if (!webhook.text.includes('10.50') || order.name !== 'Zoë' || kind !== 'ORDER.CREATED') throw new Error(`the body is ${webhook.text}`);
  const right = await accepts(() => verify(webhook, kOut[name]));
  if (!right.accepted) throw new Error(`the library refuses it: ${right.why}`);
  if ((await accepts(() => verify(webhook, kIn[name]))).accepted) throw new Error("the sender's own signature was passed on");
  const wrong = new Webhook({ ...webhook, body: flip(webhook.body, 'ORDER') });
  if ((await accepts(() => verify(wrong, kOut[name]))).accepted) throw new Error('the library accepts it with one bit changed');
}

export function resign_checks(gateway, backend) {
  return Object.keys(cases).map((name) => ({ name: `${name}: transformed and signed again`, run: () => check(name, gateway, backend) }));
}
