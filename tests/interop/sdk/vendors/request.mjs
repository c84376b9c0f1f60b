// Vendors that sign the address, chosen headers or chosen fields of the payload.
import { createRequire } from 'node:module';
import { flip, kBody, milliseconds, seconds, unless_thrown } from '../webhook.mjs';

const require = createRequire(import.meta.url);
const kForm = 'application/x-www-form-urlencoded';

const twilio_webhooks = () => require('twilio/lib/webhooks/webhooks');
const twilio = {
  name: 'twilio',
  package: 'twilio',
  secret: 'test-only-twilio-auth-token',
  type: kForm,
  body: 'MessageSid=SM1&From=%2B15005550006&Body=Zo%C3%AB+belay+%F0%9F%9A%9A&NumMedia=0&Empty=&To=client%3Aa',
  query: '?tenant=42&x=%27a',
  public_url: true,
  signs: 'lib/webhooks getExpectedTwilioSignature',
  async sign({ url, form, secret }) {
    return { headers: { 'X-Twilio-Signature': twilio_webhooks().getExpectedTwilioSignature(secret, url, form) } };
  },
  verifies: 'validateRequest',
  async verify({ url, form, headers }, { secret }) {
    return twilio_webhooks().validateRequest(secret, headers['x-twilio-signature'], url, form);
  },
};

const twilio_json = {
  ...twilio,
  name: 'twilio (JSON)',
  preset: 'twilio',
  type: 'application/json',
  body: kBody,
  query: `?bodySHA256=${twilio_webhooks().getExpectedBodyHash(kBody)}`,
  async sign({ url, secret }) {
    return { headers: { 'X-Twilio-Signature': twilio_webhooks().getExpectedTwilioSignature(secret, url, {}) } };
  },
  verifies: 'validateRequestWithBody',
  async verify({ url, text, headers }, { secret }) {
    return twilio_webhooks().validateRequestWithBody(secret, headers['x-twilio-signature'], url, text);
  },
};

function hubspot(name, version) {
  const header = version === 'v3' ? 'X-HubSpot-Signature-v3' : 'X-HubSpot-Signature';
  const options = ({ url, text, secret, timestamp }) => ({ clientSecret: secret, url, requestBody: text, timestamp });
  return {
    name,
    package: '@hubspot/api-client',
    secret: 'test-only-hubspot-client-secret',
    query: '?portal=1&next=%2Fa%3Fb',
    public_url: version !== 'v1',
    body: '[{"eventId":1,"subscriptionType":"contact.creation","objectId":123,"by":"belay Zoë"}]',
    signs: `Signature.getSignature (${version})`,
    async sign(webhook) {
      const { Signature } = await import('@hubspot/api-client');
      const timestamp = Number(milliseconds());
      const signature = Signature.getSignature('POST', version, options({ ...webhook, timestamp }));
      return { headers: { [header]: signature, ...(version === 'v3' ? { 'X-HubSpot-Request-Timestamp': timestamp.toString() } : {}) } };
    },
    verifies: 'Signature.isValid',
    async verify({ url, text, headers }, { secret }) {
      const { Signature } = await import('@hubspot/api-client');
      const timestamp = version === 'v3' ? Number(headers['x-hubspot-request-timestamp']) : undefined;
      const signature = headers[header.toLowerCase()];
      return Signature.isValid({ method: 'POST', signatureVersion: version, signature, ...options({ url, text, secret, timestamp }) });
    },
  };
}

function plivo(name, query, body) {
  return {
    name,
    preset: 'plivo',
    package: 'plivo',
    secret: 'test-only-plivo',
    type: kForm,
    body,
    query,
    public_url: true,
    verifies: 'validateV3Signature',
    async verify({ url, form, headers }, { secret }) {
      const { default: library } = await import('plivo');
      return library.validateV3Signature('POST', url, headers['x-plivo-signature-v3-nonce'], secret, headers['x-plivo-signature-v3'], form);
    },
    tamper: body !== '' ? undefined : (webhook) => ({ ...webhook, url: webhook.url.replace('b=2', 'b=3') }),
  };
}

const contentful_request = ({ method, target, headers, text }) => ({ method, path: target, headers, body: text });
const contentful = {
  name: 'contentful',
  package: '@contentful/node-apps-toolkit',
  secret: 'test-only-contentful-0123456789abcdef0123456789abcdef01234567890'.slice(0, 64),
  query: '?locale=en-US&q=%C3%AB',
  headers: { 'X-Contentful-Topic': 'ContentManagement.Entry.publish' },
  // Which headers are signed is the sender's choice.
  sender_headers: { 'x-contentful-signed-headers': 'x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic' },
  signs: 'signRequest',
  async sign(webhook) {
    const { signRequest } = await import('@contentful/node-apps-toolkit');
    const headers = { 'x-contentful-topic': 'ContentManagement.Entry.publish' };
    return { headers: signRequest(webhook.secret, contentful_request({ ...webhook, headers })) };
  },
  verifies: 'verifyRequest',
  async verify(webhook, { secret }) {
    const { verifyRequest } = await import('@contentful/node-apps-toolkit');
    return verifyRequest(secret, contentful_request(webhook));
  },
};

const adyen_validator = async () => {
  const { hmacValidator } = await import('@adyen/api-library');
  return new hmacValidator();
};
const adyen = {
  name: 'adyen',
  package: '@adyen/api-library',
  secret: 'DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00',
  body: JSON.stringify({
    live: 'false',
    notificationItems: ['belay', 'second'].map((merchantReference, index) => ({
      NotificationRequestItem: {
        amount: { currency: 'EUR', value: 1130 + index }, pspReference: `79141738892156${index}`, eventCode: 'AUTHORISATION',
        merchantAccountCode: 'Zoë', merchantReference, success: 'true', eventDate: '2026-01-01T00:00:00+01:00', additionalData: {},
      },
    })),
  }),
  signs: 'hmacValidator.calculateHmac',
  async sign({ json, secret }) {
    const validator = await adyen_validator();
    for (const { NotificationRequestItem: item } of json.notificationItems) {
      item.additionalData.hmacSignature = validator.calculateHmac(item, secret);
    }
    return { headers: {}, body: JSON.stringify(json) };
  },
  verifies: 'hmacValidator.validateHMAC',
  async verify({ json }, { secret }) {
    const validator = await adyen_validator();
    return json.notificationItems.every(({ NotificationRequestItem: item }) => validator.validateHMAC(item, secret));
  },
  in_payload: true,
};

const braintree_gateway = async ({ params, secret }) => {
  const { default: braintree } = await import('braintree');
  const gateway = new braintree.BraintreeGateway({
    environment: braintree.Environment.Sandbox, merchantId: 'unused', publicKey: params.public_key, privateKey: secret,
  });
  return { gateway, kind: braintree.WebhookNotification.Kind.SubscriptionWentPastDue };
};
const braintree = {
  name: 'braintree',
  package: 'braintree',
  secret: 'test-only-braintree-private',
  params: { public_key: 'test_only_public' },
  type: kForm,
  body: '',
  signs: 'webhookTesting.sampleNotification',
  async sign(_, vendor) {
    const { gateway, kind } = await braintree_gateway(vendor);
    return { headers: {}, body: new URLSearchParams(await gateway.webhookTesting.sampleNotification(kind, 'belay')).toString() };
  },
  verifies: 'webhookNotification.parse',
  async verify({ form }, vendor) {
    const { gateway } = await braintree_gateway(vendor);
    return unless_thrown(() => gateway.webhookNotification.parse(form.bt_signature, form.bt_payload));
  },
  // Another letter of the payload's base64.
  tamper: (webhook) => ({ ...webhook, body: flip(webhook.body, 'bt_payload=PG') }),
  in_payload: true,
};

const wecom = {
  name: 'wecom',
  package: '@wecom/crypto',
  secret: 'QDG6eK',
  body: '{"encrypt":"RypEvHKD8QQKFhvQ6QleEB4J58tiPdvobelay=="}',
  signs: 'getSignature',
  async sign({ json, secret }) {
    const { getSignature } = await import('@wecom/crypto');
    const timestamp = seconds(), nonce = '1372623149';
    const signature = getSignature(secret, timestamp, nonce, json.encrypt);
    return { headers: {}, query: `?msg_signature=${signature}&timestamp=${timestamp}&nonce=${nonce}` };
  },
  verifies: 'getSignature',
  async verify({ json, query }, { secret }) {
    const { getSignature } = await import('@wecom/crypto');
    return getSignature(secret, query.get('timestamp'), query.get('nonce'), json.encrypt) === query.get('msg_signature');
  },
  sender_query: () => `?timestamp=${seconds()}&nonce=1372623149`,
};

const mercadopago = {
  name: 'mercadopago',
  package: 'mercadopago',
  secret: 'test-only-mercadopago',
  query: '?data.id=123456&type=payment',
  verifies: 'WebhookSignatureValidator.validate',
  async verify({ headers, query }, { secret }) {
    const { WebhookSignatureValidator } = await import('mercadopago');
    return unless_thrown(() => WebhookSignatureValidator.validate({
      xSignature: headers['x-signature'], xRequestId: headers['x-request-id'], dataId: query.get('data.id'), secret,
    }));
  },
  tamper: (webhook) => ({ ...webhook, url: webhook.url.replace('data.id=123456', 'data.id=123457') }), // the body is not signed
};

export default [
  twilio, twilio_json, hubspot('hubspot', 'v3'), hubspot('hubspot_v1', 'v1'), hubspot('hubspot_v2', 'v2'),
  plivo('plivo', '?b=2&a=1', 'To=1&From=belay&Text=Zo%C3%AB'), plivo('plivo (no query)', '', 'To=1&From=belay'),
  plivo('plivo (no form)', '?b=2&a=1', ''),
  contentful, adyen, braintree, wecom, mercadopago,
];
