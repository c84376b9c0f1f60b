// Vendors whose signature is a JSON web token about the request.
import { createHash, createSecretKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { unless_thrown } from '../webhook.mjs';

const require = createRequire(import.meta.url);

const livekit = {
  name: 'livekit',
  package: 'livekit-server-sdk',
  secret: 'test-only-livekit-secret-of-32-bytes',
  params: { api_key: 'APItest' },
  type: 'application/webhook+json',
  body: '{"event":"room_started","id":"EV_1","createdAt":"1760000000","room":{"name":"belay"}}',
  signs: 'AccessToken.toJwt',
  async sign({ body, secret }, { params }) {
    const { AccessToken } = await import('livekit-server-sdk');
    const token = new AccessToken(params.api_key, secret, { ttl: '5m' });
    token.sha256 = createHash('sha256').update(body).digest('base64');
    return { headers: { Authorization: await token.toJwt() } };
  },
  verifies: 'WebhookReceiver.receive',
  async verify({ text, headers }, { secret, params }) {
    const { WebhookReceiver } = await import('livekit-server-sdk');
    const receiver = new WebhookReceiver(params.api_key, secret);
    return unless_thrown(() => receiver.receive(text, headers.authorization));
  },
};

const another_query = (webhook) => ({ ...webhook, url: webhook.url.replace('user_id=admin', 'user_id=admio') });
const jira_connect = {
  name: 'jira_connect',
  package: 'atlassian-jwt',
  secret: 'test-only-atlassian-shared-secret',
  query: '?expand=b,a&user_id=admin&x=2&x=1&y=%C3%AB',
  signs: 'encodeSymmetric, createQueryStringHash',
  async sign({ target, secret }) {
    const { default: jwt } = await import('atlassian-jwt');
    const now = Math.floor(Date.now() / 1000);
    const qsh = jwt.createQueryStringHash(jwt.fromMethodAndUrl('POST', target));
    return { headers: { Authorization: `JWT ${jwt.encodeSymmetric({ iss: 'client-key', iat: now, exp: now + 180, qsh }, secret, 'HS256')}` } };
  },
  verifies: 'decodeSymmetric, createQueryStringHash',
  async verify({ target, headers }, { secret }) {
    const { default: jwt } = await import('atlassian-jwt');
    const claims = jwt.decodeSymmetric(headers.authorization.replace(/^JWT /, ''), secret, 'HS256');
    return claims.exp > Date.now() / 1000 && claims.qsh === jwt.createQueryStringHash(jwt.fromMethodAndUrl('POST', target));
  },
  tamper: another_query, // the body is not signed
};

const qstash = {
  name: 'qstash',
  package: '@upstash/qstash',
  secret: 'sig_test_only_qstash_current_key_0001',
  public_url: true,
  verifies: 'Receiver.verify',
  async verify({ url, text, headers }, { secret }) {
    const { Receiver } = await import('@upstash/qstash');
    const receiver = new Receiver({ currentSigningKey: secret, nextSigningKey: 'sig_test_only_qstash_next_key_0002' });
    return receiver.verify({ signature: headers['upstash-signature'], body: text, url });
  },
};

const messagebird = {
  name: 'messagebird',
  package: 'messagebird',
  secret: '36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb',
  query: '?bar=1&foo=2',
  public_url: true,
  verifies: 'lib/webhook-signature-jwt verify',
  async verify({ url, body, headers }, { secret }) {
    const { verify } = require('messagebird/lib/webhook-signature-jwt');
    return verify(url, body, headers['messagebird-signature-jwt'], createSecretKey(Buffer.from(secret)));
  },
};

export default [livekit, jira_connect, qstash, messagebird];
